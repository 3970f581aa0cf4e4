//! `sf backup`: copies of the object-store root, without any service.

use std::path::Path;

use chrono::{SecondsFormat, Utc};
use lake::{Backup, Lake, LakeOptions};
use serde_json::{Value, json};
use service_kit::error::{ErrorCode, ServiceError};

use crate::args::{Backups, Format};
use crate::config::Configuration;
use crate::connect;
use crate::failure::Failure;
use crate::output::{Output, count};

pub async fn backup(config: &Configuration, format: Format, asked: &Backups) -> Result<(), Failure> {
    let root = || connect::open_lake(config);
    let done = match asked {
        Backups::Create { to, name } => {
            let name = name.clone().unwrap_or_else(|| Utc::now().format("%Y%m%dT%H%M%SZ").to_string());
            vec![Backup::create(&root()?, &open(config, to)?, &checked(&name)?).await.map_err(ServiceError::from)?]
        }
        Backups::List { at } => Backup::all(&open(config, at)?).await.map_err(ServiceError::from)?,
        Backups::Restore { from, name } => {
            let from = open(config, from)?;
            let backup = Backup::find(&from, &checked(name)?).await.map_err(ServiceError::from)?;
            backup.restore(&from, &root()?).await.map_err(ServiceError::from)?;
            vec![backup]
        }
    };
    shown(&done).print(format)
}

/// A place of copies: another root, with the same access to S3.
fn open(config: &Configuration, root: &str) -> Result<Lake, Failure> {
    Ok(Lake::open(root, &LakeOptions { s3: config.lake.s3.clone() }).map_err(ServiceError::from)?)
}

/// A name that is a file's.
fn checked(name: &str) -> Result<String, Failure> {
    if Path::new(name).file_name().is_some_and(|file| file == name) {
        return Ok(name.to_owned());
    }
    let message = format!("'{name}' cannot name a copy: use letters, digits, - and .");
    Err(ServiceError::new(ErrorCode::InvalidArgument, message).with("field", "name").into())
}

fn shown(backups: &[Backup]) -> Output {
    let begun = |backup: &Backup| backup.begun.to_rfc3339_opts(SecondsFormat::Secs, true);
    let row = |backup: &Backup| {
        vec![backup.name.clone(), begun(backup), backup.root.clone(), count(backup.objects.len() as u64), count(backup.size())]
    };
    let json = backups.iter().map(|backup| {
        json!({
            "name": backup.name, "begun": begun(backup), "root": backup.root,
            "objects": backup.objects.len(), "bytes": backup.size(),
        })
    });
    let columns = ["name", "begun", "root", "objects", "bytes"];
    Output::new(&columns, backups.iter().map(row).collect(), Value::Array(json.collect()))
}
