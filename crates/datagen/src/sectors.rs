//! Sectors of activity: share of the companies, risk and sensitivity to the weather, true NAF codes.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A sector.
pub(crate) struct Sector {
    share: f64,
    /// Failures relative to the mean (Banque de France, `domain/data.md`).
    pub(crate) risk: f64,
    /// Sensitivity to the weather.
    pub(crate) cycle: f64,
    codes: &'static [&'static str],
}

const SECTORS: [Sector; 12] = [
    Sector { share: 0.17, risk: 0.8, cycle: 1.2, codes: &["10.71C", "13.92Z", "16.23Z", "22.29A", "25.62B", "28.29B", "31.09B"] },
    Sector { share: 0.17, risk: 1.6, cycle: 1.2, codes: &["41.20A", "43.21A", "43.22A", "43.32A", "43.34Z", "43.91B", "43.99C"] },
    Sector { share: 0.20, risk: 0.95, cycle: 0.9, codes: &["45.11Z", "46.39B", "46.73A", "47.11D", "47.71Z", "47.73Z"] },
    Sector { share: 0.07, risk: 1.5, cycle: 1.1, codes: &["49.39A", "49.41A", "49.41B", "52.29B", "53.20Z"] },
    Sector { share: 0.09, risk: 1.5, cycle: 1.3, codes: &["55.10Z", "56.10A", "56.10C", "56.21Z", "56.30Z"] },
    Sector { share: 0.05, risk: 0.9, cycle: 0.8, codes: &["58.29C", "62.01Z", "62.02A", "63.11Z"] },
    Sector { share: 0.02, risk: 0.6, cycle: 0.7, codes: &["68.20B", "68.31Z", "68.32A"] },
    Sector { share: 0.09, risk: 0.9, cycle: 0.9, codes: &["69.20Z", "70.22Z", "71.12B", "73.11Z"] },
    Sector { share: 0.07, risk: 1.1, cycle: 1.1, codes: &["78.20Z", "80.10Z", "81.21Z", "82.20Z"] },
    Sector { share: 0.04, risk: 0.6, cycle: 0.4, codes: &["86.90A", "87.10A", "88.10A"] },
    Sector { share: 0.02, risk: 1.2, cycle: 1.0, codes: &["93.13Z", "96.02A", "96.09Z"] },
    Sector { share: 0.01, risk: 0.7, cycle: 0.6, codes: &["01.13Z", "01.61Z", "02.20Z"] },
];

/// Activities outside the perimeter.
pub(crate) const EXCLUDED: [&str; 4] = ["84.11Z", "85.31Z", "94.12Z", "66.22Z"];

/// Draws a sector and a code of it.
pub(crate) fn draw(random: &mut ChaCha8Rng) -> (&'static Sector, &'static str) {
    let mut rest = random.random::<f64>() * SECTORS.iter().map(|sector| sector.share).sum::<f64>();
    let sector = SECTORS.iter().find(|sector| {
        rest -= sector.share;
        rest < 0.0
    });
    let sector = sector.unwrap_or(&SECTORS[0]);
    (sector, sector.codes[random.random_range(0..sector.codes.len())])
}
