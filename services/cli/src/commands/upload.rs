//! Brings the files of a delivery to ingestion: it copies them itself from a bucket, or from this machine when it runs in this
//! program; otherwise they are sent, each going on where a broken connection stopped it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::ingestion::{GetUploadRequest, ImportBatchRequest, UploadFileRequest, UploadHeader};
use bytes::Bytes;
use domain::BatchKey;
use service_kit::error::{ErrorCode, ServiceError};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use url::Url;

use super::Session;
use crate::failure::Failure;
use crate::job::passing;

/// Bytes of a piece of an upload.
const PIECE: usize = 256 * 1024;
/// Times that a broken upload is gone on with.
const TRIES: u32 = 8;
/// Pause before the second try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(250);

/// Brings the files of a delivery, a folder or `s3://bucket/prefix`; gives the request that imports them.
pub async fn place(session: &Session, delivery: &str, batch: BatchKey) -> Result<ImportBatchRequest, Failure> {
    let mut request = ImportBatchRequest { batch: batch.to_string(), ..ImportBatchRequest::default() };
    if delivery.starts_with("s3://") {
        delivery.clone_into(&mut request.uri);
        return Ok(request);
    }
    let folder = Path::new(delivery);
    let files = files(folder)?;
    if session.config.is_some() {
        let folder = folder.canonicalize()?;
        let url = Url::from_directory_path(&folder).map_err(|()| refused(&folder, &"it has no absolute path"))?;
        request.uri = url.into();
        return Ok(request);
    }
    for (name, path) in files {
        upload(session, &name, &path, batch).await?;
        request.file_names.push(name);
    }
    Ok(request)
}

fn refused(folder: &Path, error: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::new(ErrorCode::NoFiles, format!("{}: {error}", folder.display()))
}

/// Files of a folder, by name: no folder inside of it, no hidden file.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| refused(folder, &error))? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_file() && !name.starts_with('.') {
            files.push((name, path));
        }
    }
    files.sort();
    if files.is_empty() { Err(refused(folder, &"the folder holds no file").into()) } else { Ok(files) }
}

/// Sends a file, from where an earlier attempt stopped.
async fn upload(session: &Session, name: &str, path: &Path, batch: BatchKey) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| ServiceError::new(ErrorCode::UnreadableFile, format!("{}: {error}", path.display()));
    let (size, sha256) = digest(path).await.map_err(unreadable)?;
    let header = UploadHeader { batch: batch.to_string(), file_name: name.to_owned(), size, sha256, offset: 0 };
    let mut pause = PAUSE;
    for tries in 1.. {
        match attempt(session, &header, path).await {
            Err(Problem::Status(status)) if passing(&status) && tries < TRIES => {
                sleep(pause).await;
                pause *= 2;
            }
            Err(Problem::Status(status)) => return Err(status.into()),
            Err(Problem::Io(error)) => return Err(unreadable(error).into()),
            Ok(()) => break,
        }
    }
    Ok(())
}

enum Problem {
    Status(Status),
    Io(std::io::Error),
}

async fn attempt(session: &Session, header: &UploadHeader, path: &Path) -> Result<(), Problem> {
    let mut client = session.clients.ingestion();
    let arrived = client.get_upload(GetUploadRequest { header: Some(header.clone()) }).await.map_err(Problem::Status)?.into_inner();
    if arrived.complete {
        return Ok(());
    }
    let mut file = File::open(path).await.map_err(Problem::Io)?;
    file.seek(std::io::SeekFrom::Start(arrived.received)).await.map_err(Problem::Io)?;
    let header = UploadHeader { offset: arrived.received, ..header.clone() };
    let (sender, receiver) = mpsc::channel(8);
    let send = async move {
        // The receiver goes away when the service refuses: its status says why.
        let mut open = sender.send(UploadFileRequest { header: Some(header), data: Bytes::new() }).await.is_ok();
        while open {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
            if read == 0 {
                break;
            }
            open = sender.send(UploadFileRequest { header: None, data: piece.into() }).await.is_ok();
        }
        Ok::<_, std::io::Error>(())
    };
    let (sent, received) = tokio::join!(send, client.upload_file(ReceiverStream::new(receiver)));
    received.map_err(Problem::Status)?;
    sent.map_err(Problem::Io)
}

/// Size and SHA-256 of a file.
async fn digest(path: &Path) -> std::io::Result<(u64, String)> {
    let (mut file, mut digest, mut size) = (File::open(path).await?, Sha256::new(), 0);
    let mut piece = vec![0; 4 * PIECE];
    loop {
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Ok((size, hex::encode(digest.finalize())));
        }
        digest.update(&piece[..read]);
        size += read as u64;
    }
}
