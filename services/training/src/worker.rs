//! A process that helps another one train: it asks for a place, reads the table, grows trees on its part of the companies, and
//! asks again. It registers nothing.

use std::net::IpAddr;
use std::time::Duration;

use api::training::training_service_client::TrainingServiceClient;
use api::training::{JoinTrainingRequest, JoinTrainingResponse};
use lake::Lake;
use panel::Catalogue;
use service_kit::link::Link;
use tonic::Code;

use crate::Settings;
use crate::crew::{self, Place};
use crate::error::TrainingError;
use crate::setup::Setup;
use crate::study;

/// How long a worker waits before it asks again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a worker works with.
pub struct Worker<'a> {
    /// The service whose trainings it helps.
    pub client: TrainingServiceClient<Link>,
    /// Where the tables are: the same as that service's.
    pub lake: &'a Lake,
    /// The features.
    pub catalogue: &'a Catalogue,
    /// Its own address, as the others reach it.
    pub host: IpAddr,
}

impl Worker<'_> {
    /// Helps in trainings until the program is stopped, or until `trainings` have ended. A training that fails is said to,
    /// and counts.
    pub async fn serve(mut self, trainings: Option<u32>, told: &mut dyn FnMut(&str)) -> Result<(), TrainingError> {
        let mut done = 0;
        while trainings.is_none_or(|trainings| done < trainings) {
            let address = crew::address(self.host)?;
            let asked = self.client.join_training(JoinTrainingRequest { address: address.to_string() }).await;
            let response = match asked {
                Ok(response) => response.into_inner(),
                Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown) => {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                Err(status) => return Err(TrainingError::Workers(status.message().to_owned())),
            };
            told("training");
            match self.help(response).await {
                Ok(()) => told("done"),
                Err(error) => told(&format!("the training ended: {error}")),
            }
            done += 1;
        }
        Ok(())
    }

    async fn help(&self, response: JoinTrainingResponse) -> Result<(), TrainingError> {
        let strange = || TrainingError::Workers("the service gave a place that makes no sense".to_owned());
        let machines = response.machines.iter().map(|machine| machine.parse()).collect::<Result<_, _>>().map_err(|_| strange())?;
        let place = Place { rank: response.rank as usize, machines };
        let (threads, training_month_step) = (response.threads, response.training_month_step);
        let settings = Settings { threads, training_month_step, ..Settings::default() };
        let setup = Setup::of(self.lake, self.catalogue, &settings, &response.request.ok_or_else(strange)?).await?;
        if setup.fingerprint()? != response.setup {
            let why = "this worker is of another version, or has other features or another version of the table, than the service";
            return Err(TrainingError::Workers(why.to_owned()));
        }
        let task = move || {
            let split = setup.splits.first().ok_or_else(strange)?;
            study::assist(&setup.source, &setup.plan(split, &[setup.asked.kind], &setup.lineage.params, Some(&place)))
        };
        tokio::task::spawn_blocking(task).await.map_err(|error| TrainingError::Task(error.to_string()))?
    }
}
