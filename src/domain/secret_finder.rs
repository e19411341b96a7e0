//! A secret as it is looked for in what others write.

use std::{fmt, sync::Arc};

use memchr::memmem::Finder;

/// Finds a secret in texts. What speeds that up is worked out once: a clone is a handle.
#[derive(Clone)]
pub struct SecretFinder(Arc<Finder<'static>>);

impl SecretFinder {
    /// Finds `secret`, which is not empty.
    pub fn new(secret: &[u8]) -> Self {
        Self(Arc::new(Finder::new(secret).into_owned()))
    }

    /// Where `text` has the secret first.
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        self.0.find(text)
    }

    /// The secret itself.
    pub fn secret(&self) -> &[u8] {
        self.0.needle()
    }
}

impl fmt::Debug for SecretFinder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}
