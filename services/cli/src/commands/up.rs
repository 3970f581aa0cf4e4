//! `sf up`: all services in one process, over TCP, for local tools.

use service_kit::config::ServerConfig;
use service_kit::server;

use crate::args::{Arguments, Up};
use crate::connect;
use crate::failure::Failure;

pub async fn up(arguments: &Arguments, up: &Up) -> Result<(), Failure> {
    let routes = connect::routes(&arguments.data).await?;
    let config = ServerConfig { listen: up.listen, admin: up.admin, ..ServerConfig::default() };
    Ok(server::serve(&config, routes, &connect::service_names()).await?)
}
