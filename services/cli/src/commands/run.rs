//! `sf run`: the whole chain, from a delivery to a published list.

use std::time::Instant;

use api::ingestion::ImportBatchRequest;
use api::training::{GetModelRequest, TrainModelRequest};
use service_kit::error::{ErrorCode, ServiceError};

use super::{Session, features, ingest, lists, models, score, upload};
use crate::args::{Format, ModelKind, Protocol, Run, Selection};
use crate::failure::Failure;

/// Entries shown at the end.
const SHOWN: u32 = 20;

pub async fn run(session: &Session, arguments: &Run) -> Result<(), Failure> {
    let batch = arguments.batch;
    let stage = Stage::new(session, &format!("Import of batch {batch}"));
    let request = ImportBatchRequest {
        allow_degraded: arguments.allow_degraded,
        allow_gates: arguments.allow.clone(),
        profile: arguments.profile.name().to_owned(),
        ..upload::place(session, &arguments.delivery.replace("{batch}", &batch.to_string()), batch).await?
    };
    ingest::import(session, request).await?;
    stage.done();

    let stage = Stage::new(session, "Features, each month from what was known then");
    features::report(&features::build(session, batch, None).await?).print(session.format)?;
    stage.done();

    let champion = session.clients.training().get_model(GetModelRequest { id: "champion".to_owned() }).await;
    match champion {
        Ok(model) => {
            let stage = Stage::new(session, "Champion");
            models::evaluation(&model.into_inner()).print(session.format)?;
            stage.done();
        }
        Err(status) if ServiceError::from_status(&status).code() == ErrorCode::NoChampion => {
            let stage = Stage::new(session, "Training, honest protocol");
            let defaults = models::request(batch, Protocol::Holdout, ModelKind::Mixture);
            let request = TrainModelRequest { promote_if_none: true, ..defaults };
            models::evaluation(&models::learn(session, request).await?).print(session.format)?;
            stage.done();
        }
        Err(status) => return Err(status.into()),
    }

    let stage = Stage::new(session, "List");
    lists::described(&[score::build(session, batch, true).await?]).print(session.format)?;
    match lists::show(session, "latest", &Selection::default(), "", SHOWN).await {
        // Who runs the month need not be one who may see its companies.
        Err(failure) if failure.code() == Some(ErrorCode::RightMissing) => {}
        shown => shown?,
    }
    stage.done();
    Ok(())
}

/// A stage announced and timed, for a person.
struct Stage {
    told: bool,
    start: Instant,
}

impl Stage {
    #[allow(clippy::print_stdout, reason = "a command line speaks to a person")]
    fn new(session: &Session, name: &str) -> Self {
        let told = session.format == Format::Table && !session.quiet;
        if told {
            println!("\n== {name}");
        }
        Self { told, start: Instant::now() }
    }

    #[allow(clippy::print_stdout, reason = "a command line speaks to a person")]
    fn done(self) {
        if self.told {
            println!("   {:.1} s", self.start.elapsed().as_secs_f64());
        }
    }
}
