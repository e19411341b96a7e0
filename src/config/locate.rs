//! Which file is read.

use std::path::{Path, PathBuf};

use super::secret::Environment;

/// Places that are looked at when nobody names a file.
const USUAL: [&str; 2] = ["./faregate.yaml", "/etc/faregate/faregate.yaml"];

/// There is no file to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no configuration: neither {} nor {} exists",
    USUAL[0],
    USUAL[1]
)]
pub struct NoFile;

impl NoFile {
    /// What to do about it.
    pub const HINT: &str = "name a file with --config or FAREGATE_CONFIG; config/quickstart.yaml needs no account anywhere";
}

/// The file to read: `flag`, else `$FAREGATE_CONFIG`, else `./faregate.yaml`, else `/etc/faregate/faregate.yaml`.
/// A file that somebody named is not looked for elsewhere.
///
/// # Errors
/// Nobody named a file and the usual places have none.
pub fn locate(flag: Option<&Path>, environment: &dyn Environment) -> Result<PathBuf, NoFile> {
    among(flag, environment, &USUAL.map(Path::new))
}

pub(crate) fn among(
    flag: Option<&Path>,
    environment: &dyn Environment,
    usual: &[&Path],
) -> Result<PathBuf, NoFile> {
    if let Some(named) = flag {
        return Ok(named.to_owned());
    }
    if let Some(named) = environment
        .get_raw("FAREGATE_CONFIG")
        .filter(|named| !named.is_empty())
    {
        return Ok(named.into());
    }
    // One that cannot be looked at is there: reading it says why.
    let found = usual.iter().find(|path| path.try_exists().unwrap_or(true));
    found.map(|path| path.to_path_buf()).ok_or(NoFile)
}
