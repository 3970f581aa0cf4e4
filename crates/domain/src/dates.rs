//! Civil dates as the other administrations write them (`domain/ingestion.md` §0.2).

use chrono::NaiveDate;

/// `YYYY-MM-DD`, strictly.
pub fn parse_iso(text: &[u8]) -> Option<NaiveDate> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    date(number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?)
}

/// `DD/MM/YYYY`, strictly.
pub fn parse_french(text: &[u8]) -> Option<NaiveDate> {
    if text.len() != 10 || text[2] != b'/' || text[5] != b'/' {
        return None;
    }
    date(number(&text[6..])?, number(&text[3..5])?, number(&text[..2])?)
}

/// `DDMMMYYYY` with an English month abbreviation in any case, as SAS writes it: `26MAY2014`.
pub fn parse_sas(text: &[u8]) -> Option<NaiveDate> {
    const MONTHS: [&[u8; 3]; 12] = [b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC"];
    if text.len() != 9 {
        return None;
    }
    let month = MONTHS.iter().position(|name| text[2..5].eq_ignore_ascii_case(*name))?;
    date(number(&text[5..])?, month as u32 + 1, number(&text[..2])?)
}

fn number(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

fn date(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year as i32, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_notation_is_strict() {
        let expected = NaiveDate::from_ymd_opt(2014, 5, 26);
        assert_eq!(parse_iso(b"2014-05-26"), expected);
        assert_eq!(parse_french(b"26/05/2014"), expected);
        assert_eq!(parse_sas(b"26MAY2014"), expected);
        assert_eq!(parse_sas(b"26may2014"), expected);
        assert_eq!(parse_french(b"01/15/2019"), None);
        assert_eq!(parse_iso(b"2014-02-30"), None);
        assert_eq!(parse_sas(b"26MAI2014"), None);
        for parse in [parse_iso, parse_french, parse_sas] {
            for bad in ["", "26-05-2014", "2014-5-26", "aaaaaaaaaa", "2014-05-26 00:00:00"] {
                assert_eq!(parse(bad.as_bytes()), None, "{bad}");
            }
        }
    }
}
