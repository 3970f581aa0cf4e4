//! Archives as INSEE publishes them: one file in a zip.

use std::io::{self, Read, Seek};

use crate::error::FileError;

/// Opens the only file of an archive and hands it to `read`.
pub fn read_zip<T>(archive: impl Read + Seek, read: impl FnOnce(&mut dyn Read) -> T) -> Result<T, FileError> {
    let mut archive = ::zip::ZipArchive::new(archive).map_err(|error| FileError::Unreadable(io::Error::other(error)))?;
    if archive.is_empty() {
        return Err(FileError::EmptyArchive);
    }
    let mut file = archive.by_index(0).map_err(|error| FileError::Unreadable(io::Error::other(error)))?;
    Ok(read(&mut file))
}
