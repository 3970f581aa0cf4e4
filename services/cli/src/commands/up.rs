//! `sf up`: all services in one process, over TCP, for local tools.

use std::net::SocketAddr;

use service_kit::server;

use crate::args::Up;
use crate::config::Configuration;
use crate::connect;
use crate::failure::Failure;

/// Where clients look for the services when nothing says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7000);

pub async fn up(config: &Configuration, up: &Up) -> Result<(), Failure> {
    let (routes, context) = connect::routes(config).await?;
    context.auth.announce();
    context.jobs.watch();
    let mut server = config.server.clone();
    let default = if server.listen.port() == 0 { LISTEN } else { server.listen };
    server.listen = up.listen.unwrap_or(default);
    server.admin = up.admin.unwrap_or(server.admin);
    let served = server::serve(&server, &context.limits, routes, &connect::service_names()).await;
    context.audit.close().await;
    Ok(served?)
}
