//! The token that a program shows to the services that it calls: `SF_TOKEN`, or the file that `SF_TOKEN_FILE` names. A file is read for each
//! call, so that a token that is renewed there is used.

use std::path::PathBuf;

use axum::http::HeaderValue;
use tonic::Status;
use tonic::transport::Channel;

use crate::link::Link;

/// Where the token comes from.
#[derive(Debug, Clone, Default)]
pub enum Token {
    /// None is needed.
    #[default]
    None,
    /// This one.
    Given(String),
    /// The content of this file.
    File(PathBuf),
}

impl Token {
    /// What the environment says.
    pub fn from_environment() -> Self {
        match (std::env::var("SF_TOKEN"), std::env::var_os("SF_TOKEN_FILE")) {
            (Ok(token), _) if !token.is_empty() => Self::Given(token),
            (_, Some(path)) => Self::File(path.into()),
            _ => Self::None,
        }
    }

    /// A channel that carries it.
    pub const fn on(self, channel: Channel) -> Link {
        Link::new(channel, self)
    }

    /// The header `authorization`, if there is a token.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, Status> {
        let token = match self {
            Self::None => return Ok(None),
            Self::Given(token) => token.clone(),
            Self::File(path) => {
                let read = std::fs::read_to_string(path);
                read.map_err(|error| Status::unauthenticated(format!("SF_TOKEN_FILE, {}: {error}", path.display())))?
            }
        };
        let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
        value.map(Some).map_err(|_| Status::unauthenticated("the token holds characters that no token has"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(token: &Token) -> Option<String> {
        token.header().expect("a header").map(|value| value.to_str().expect("text").to_owned())
    }

    #[test]
    fn a_file_is_read_again_for_each_call() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let token = Token::File(path.clone());
        assert!(token.header().is_err());
        for text in ["one\n", "two"] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(header(&token).as_deref(), Some(format!("Bearer {}", text.trim()).as_str()));
        }
        assert_eq!(header(&Token::None), None);
        assert_eq!(header(&Token::Given("x".into())).as_deref(), Some("Bearer x"));
    }
}
