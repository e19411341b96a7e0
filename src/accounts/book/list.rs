//! The state of an account's limits of one kind: found by place while a call is admitted, by name when limits are compiled.

use std::{
    collections::HashMap,
    hash::Hash,
    ops::{Deref, DerefMut},
};

/// Up to so many are looked through; more have an index. Most accounts have a few, an account with a limit for each key
/// has as many as keys.
const FEW: usize = 16;

/// What is found by a name that never changes.
pub(super) trait Named {
    /// The name.
    type Name: Clone + Eq + Hash;

    /// Its name.
    fn name(&self) -> &Self::Name;
}

/// A list that nothing ever leaves.
#[derive(Debug)]
pub(super) struct List<T: Named> {
    items: Vec<T>,
    index: Option<Box<Index<T::Name>>>,
}

/// Boxed, because most lists have none.
#[derive(Debug)]
struct Index<N>(HashMap<N, usize>);

impl<T: Named> List<T> {
    /// The place of what has this name, which is made on first sight.
    pub(super) fn place(&mut self, name: &T::Name, make: impl FnOnce() -> T) -> usize {
        self.find(name).unwrap_or_else(|| self.add(make()))
    }

    /// The place of what has this name.
    pub(super) fn find(&self, name: &T::Name) -> Option<usize> {
        match &self.index {
            Some(index) => index.0.get(name).copied(),
            None => self.items.iter().position(|item| item.name() == name),
        }
    }

    fn add(&mut self, item: T) -> usize {
        let place = self.items.len();
        // A list that grows by itself has room for four.
        if place < 4 {
            self.items.reserve_exact(1);
        }
        if let Some(index) = &mut self.index {
            index.0.insert(item.name().clone(), place);
        }
        self.items.push(item);
        if self.index.is_none() && self.items.len() > FEW {
            let places = self.items.iter().enumerate();
            let index = places.map(|(place, item)| (item.name().clone(), place));
            self.index = Some(Box::new(Index(index.collect())));
        }
        place
    }
}

impl<T: Named> Default for List<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            index: None,
        }
    }
}

impl<T: Named> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T: Named> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, List, Named};

    impl Named for (u32, &'static str) {
        type Name = u32;

        fn name(&self) -> &u32 {
            &self.0
        }
    }

    #[test]
    fn everything_is_found_whether_there_are_few_or_many() {
        let mut list = List::default();
        for name in 0..100 {
            assert_eq!(list.find(&name), None);
            assert_eq!(list.place(&name, || (name, "first")), name as usize);
            for known in 0..=name {
                assert_eq!(list.place(&known, || (known, "again")), known as usize);
            }
            assert_eq!(list.index.is_some(), list.len() > FEW);
        }
        assert!(list.iter().all(|item| item.1 == "first"));
    }
}
