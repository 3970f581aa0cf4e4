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

    /// Reads one URL for all, or `name=URL` for each of the four, separated by commas. A URL may name further hosts, `http://a:1,b:1`:
    /// any of them is asked.
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('=') {
            let url = || text.to_owned();
            return checked(text).map(|()| Self { ingestion: url(), features: url(), training: url(), scoring: url() });
        }
        let mut urls: [Option<String>; 4] = [const { None }; 4];
        let mut last = None;
        for part in text.split(',') {
            let Some((name, url)) = part.split_once('=') else {
                let more = last.filter(|_| !part.contains("://")).and_then(|position: usize| urls[position].as_mut());
                let url = more.ok_or_else(|| format!("'{part}' is not NAME=URL"))?;
                url.push(',');
                url.push_str(part);
                continue;
            };
            let position = NAMES.iter().position(|known| *known == name);
            let position = position.ok_or_else(|| format!("'{name}' is not one of {}", NAMES.join(", ")))?;
            checked(url)?;
            if urls[position].replace(url.to_owned()).is_some() {
                return Err(format!("{name} is given twice"));
            }
            last = Some(position);
        }
        let url = |position: usize| urls[position].clone().ok_or_else(|| format!("the address of {} is missing", NAMES[position]));
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
        let each: Servers = "scoring=http://s:1,r:2,ingestion=http://i,features=http://f,training=https://t".parse().unwrap();
        assert_eq!(
            [&each.ingestion, &each.features, &each.training, &each.scoring],
            ["http://i", "http://f", "https://t", "http://s:1,r:2"]
        );
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
