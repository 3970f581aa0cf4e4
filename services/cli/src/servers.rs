//! Where running services are: the value of `--server`.

use std::str::FromStr;

/// Addresses of the services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    /// Ingestion.
    pub ingestion: String,
    /// Feature store.
    pub features: String,
    /// Training.
    pub training: String,
    /// Scoring and lists.
    pub scoring: String,
}

/// Names of the services in a map.
const NAMES: [&str; 4] = ["ingestion", "features", "training", "scoring"];

impl FromStr for Servers {
    type Err = String;

    /// Reads one URL for all, or `name=URL` for each of the four, separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('=') {
            let url = || text.to_owned();
            return checked(text).map(|()| Self { ingestion: url(), features: url(), training: url(), scoring: url() });
        }
        let mut urls: [Option<&str>; 4] = [None; 4];
        for part in text.split(',') {
            let (name, url) = part.split_once('=').ok_or_else(|| format!("'{part}' is not NAME=URL"))?;
            let position = NAMES.iter().position(|known| *known == name);
            let position = position.ok_or_else(|| format!("'{name}' is not one of {}", NAMES.join(", ")))?;
            checked(url)?;
            if urls[position].replace(url).is_some() {
                return Err(format!("{name} is given twice"));
            }
        }
        let url = |position: usize| {
            let url: Option<&str> = urls[position];
            url.map(ToOwned::to_owned).ok_or_else(|| format!("the address of {} is missing", NAMES[position]))
        };
        Ok(Self { ingestion: url(0)?, features: url(1)?, training: url(2)?, scoring: url(3)? })
    }
}

fn checked(url: &str) -> Result<(), String> {
    if url.starts_with("http://") || url.starts_with("https://") {
        Ok(())
    } else {
        Err(format!("'{url}' is not an address: write it as http://HOST:PORT"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_one_url_or_one_for_each() {
        let all: Servers = "http://a:1".parse().unwrap();
        assert_eq!([&all.ingestion, &all.features, &all.training, &all.scoring], ["http://a:1"; 4]);
        let each: Servers = "scoring=http://s,ingestion=http://i,features=http://f,training=https://t".parse().unwrap();
        assert_eq!([&each.ingestion, &each.features, &each.training, &each.scoring], ["http://i", "http://f", "https://t", "http://s"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("scoring=http://s", "ingestion is missing"),
            ("score=http://s", "'score'"),
            ("scoring=http://s,scoring=http://t", "scoring is given twice"),
            ("scoring=http://s,http://t", "'http://t' is not NAME=URL"),
            ("localhost:7000", "http://HOST:PORT"),
            ("", "http://HOST:PORT"),
        ] {
            let error = text.parse::<Servers>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
