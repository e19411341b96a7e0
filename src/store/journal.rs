//! The journal that SQLite keeps beside a store while it writes without a log: the pages as they were before the change.
//!
//! One that is found is taken for that of a change which was broken off, and its pages go back into the store, whosever
//! they are. Owns which journals may. Changes nothing.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::{inflight::beside, open_error::OpenError};

/// How a journal begins that has anything to give back
/// (<https://sqlite.org/fileformat2.html>, "The Rollback Journal").
const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// What of a store's first page changes when it gets its log, or loses it: the two versions of the format, and twice the
/// number of the change.
const CHANGED: [std::ops::Range<usize>; 3] = [18..20, 24..28, 92..100];

/// That no journal lies beside the store, or where one is yet to be made, which SQLite would write into it though it is
/// another's.
///
/// Not where this process has the store open: closing the file would drop SQLite's locks on it.
pub(super) fn no_journal_of_another(store: &Path) -> Result<(), OpenError> {
    let path = beside(store, "-journal");
    let (source, hint) = match is_of_another(&path, store) {
        Ok(false) => return Ok(()),
        Ok(true) => (
            io::Error::other(format!(
                "it is the journal of a change that was broken off, and none of faregate's in {}",
                store.display()
            )),
            "if another program was changing that store, open it with sqlite3 once, which takes the change back; if not, move \
             the journal away, which belongs to another store; nothing was changed",
        ),
        Err(error) => return Err(OpenError::unusable(&path, error)),
    };
    Err(OpenError::Unusable { path, source, hint })
}

/// Whether the journal would bring anything into the store that is not there. We leave none but that of a start which was
/// killed while it gave a copy its log: it has the first page alone.
fn is_of_another(journal: &Path, store: &Path) -> io::Result<bool> {
    let mut journal = match File::open(journal) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut head = [0; 28];
    if read_all(&mut journal, &mut head)? < head.len() || !head.starts_with(&MAGIC) {
        return Ok(false);
    }
    let number = |at: usize| {
        let bytes = head[at..].first_chunk().copied();
        u32::from_be_bytes(bytes.unwrap_or_default())
    };
    let [records, pages, sector, size] = [8, 16, 20, 24].map(number);
    let store = match File::open(store) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    // The store would become so long.
    let whole = u64::from(pages) * u64::from(size);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if records != 1 || size > 1 << 16 || store.metadata()?.len() != whole {
        return Ok(true);
    }
    let skipped = u64::from(sector).saturating_sub(head.len() as u64);
    io::copy(&mut (&journal).take(skipped), &mut io::sink())?;
    let (mut record, mut page) = (vec![0; 4 + size], vec![0; size]);
    if read_all(&mut journal, &mut record)? < record.len() {
        // What is not whole is not given back.
        return Ok(false);
    }
    // Behind its sum more records may begin, with the next sector.
    let end = u64::from(sector) + record.len() as u64 + 4;
    let next = end.next_multiple_of(u64::from(sector.max(1)));
    journal.seek(SeekFrom::Start(next))?;
    let mut more = [0; MAGIC.len()];
    read_all(&mut journal, &mut more)?;
    read_all(&mut &store, &mut page)?;
    let (number, before) = record.split_at_mut(4);
    for changed in CHANGED {
        for page in [&mut *before, &mut page[..]] {
            page.get_mut(changed.clone())
                .into_iter()
                .for_each(|bytes| bytes.fill(0));
        }
    }
    Ok(number != 1_u32.to_be_bytes() || before != page || more == MAGIC)
}

/// Reads as much as there is, up to all of `to`; how much.
fn read_all(from: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < to.len() {
        match from.read(&mut to[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
