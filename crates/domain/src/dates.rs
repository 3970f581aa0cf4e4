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

/// English abbreviations of the months.
const ENGLISH: [&[u8; 3]; 12] = [b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC"];

/// `DDMMMYYYY` with an English month abbreviation in any case, as SAS writes it: `26MAY2014`.
pub fn parse_sas(text: &[u8]) -> Option<NaiveDate> {
    if text.len() != 9 {
        return None;
    }
    let month = ENGLISH.iter().position(|name| text[2..5].eq_ignore_ascii_case(*name))?;
    date(number(&text[5..])?, month as u32 + 1, number(&text[..2])?)
}

/// The same with a French abbreviation too, as Banque de France writes it: `31DEC2012`, `28févr2013`. Accents do not matter;
/// a text that is not UTF-8 is read as Latin-1.
pub fn parse_sas_french(text: &[u8]) -> Option<NaiveDate> {
    const FRENCH: [&str; 12] = ["janv", "fevr", "mars", "avr", "mai", "juin", "juil", "aout", "sept", "oct", "nov", "dec"];
    let (day, rest) = text.split_at_checked(2)?;
    let (name, year) = rest.split_at_checked(rest.len().checked_sub(4)?)?;
    let name = std::str::from_utf8(name).map_or_else(|_| name.iter().copied().map(char::from).collect(), str::to_owned);
    let plain = |c| match c {
        'é' => Some('e'),
        'û' => Some('u'),
        // Accents written after their letter.
        '\u{301}' | '\u{302}' => None,
        c => Some(c),
    };
    let name: String = name.chars().flat_map(char::to_lowercase).filter_map(plain).collect();
    let month = FRENCH.iter().position(|french| *french == name);
    let month = month.or_else(|| ENGLISH.iter().position(|english| english.eq_ignore_ascii_case(name.as_bytes())))?;
    date(number(year)?, month as u32 + 1, number(day)?)
}

/// `YYYY-MM-DD`, or the same at midnight: `2025-06-30 00:00:00`.
pub fn parse_iso_midnight(text: &[u8]) -> Option<NaiveDate> {
    parse_iso(text.strip_suffix(b" 00:00:00").unwrap_or(text))
}

/// `MM/YYYY`: the first day of a month.
pub fn parse_month_year(text: &[u8]) -> Option<NaiveDate> {
    if text.len() != 7 || text[2] != b'/' {
        return None;
    }
    date(number(&text[3..])?, number(&text[..2])?, 1)
}

/// The number of a day in a spreadsheet, five digits: 43466 is 2019-01-01.
pub fn parse_spreadsheet_day(text: &[u8]) -> Option<NaiveDate> {
    if text.len() != 5 {
        return None;
    }
    NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_days(chrono::Days::new(number(text)?.into()))
}

/// `10 décembre 2009` or `1er mars 2010`, as BODACC wrote dates; months with or without their accents.
pub fn parse_french_words(text: &[u8]) -> Option<NaiveDate> {
    const MONTHS: [[&str; 2]; 12] = [
        ["janvier", "janv."],
        ["février", "fevrier"],
        ["mars", "mars"],
        ["avril", "avr."],
        ["mai", "mai"],
        ["juin", "juin"],
        ["juillet", "juil."],
        ["août", "aout"],
        ["septembre", "sept."],
        ["octobre", "oct."],
        ["novembre", "nov."],
        ["décembre", "decembre"],
    ];
    let lower = std::str::from_utf8(text).ok()?.to_lowercase();
    let mut words = lower.split_whitespace();
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|names| names.contains(&month))?;
    let day = number(day.trim_end_matches("er").as_bytes())?;
    let year = Some(year).filter(|year| year.len() == 4).and_then(|year| number(year.as_bytes()))?;
    if words.next().is_none() { date(year, month as u32 + 1, day) } else { None }
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
    fn notations_of_the_past() {
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day);
        assert_eq!(parse_iso_midnight(b"2025-06-30 00:00:00"), day(2025, 6, 30));
        assert_eq!(parse_iso_midnight(b"2025-06-30 00:00:01"), None);
        assert_eq!(parse_month_year(b"03/2021"), day(2021, 3, 1));
        assert_eq!(parse_month_year(b"13/2021"), None);
        assert_eq!(parse_spreadsheet_day(b"43466"), day(2019, 1, 1));
        assert_eq!(parse_spreadsheet_day(b"4346a"), None);
    }

    #[test]
    fn months_are_abbreviated_in_two_languages() {
        let french = ["janv", "févr", "mars", "avr", "mai", "juin", "juil", "août", "sept", "oct", "nov", "déc"];
        let english = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
        for (name, month) in french.into_iter().zip(1..).chain(english.into_iter().zip(1..)) {
            let expected = NaiveDate::from_ymd_opt(2012, month, 28);
            for name in [name.to_owned(), name.to_uppercase(), name.to_lowercase(), name.replace('é', "e").replace('û', "u\u{302}")] {
                assert_eq!(parse_sas_french(format!("28{name}2012").as_bytes()), expected, "{name}");
            }
        }
        assert_eq!(parse_sas_french(b"31d\xe9c2012"), NaiveDate::from_ymd_opt(2012, 12, 31), "Latin-1");
        for bad in ["", "31", "312012", "31décembre2012", "31feb2012", "3dec2012", "31dec12", "31/12/2012", "é1dec2012", "31dec201é"] {
            assert_eq!(parse_sas_french(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn dates_in_words() {
        for (text, expected) in [
            ("10 décembre 2009", Some((2009, 12, 10))),
            ("1er mars 2010", Some((2010, 3, 1))),
            ("15 Août 2023", Some((2023, 8, 15))),
            ("31 février 2024", None),
            ("le mois dernier", None),
            ("10 décembre", None),
            ("10 décembre 2009 ?", None),
        ] {
            let expected = expected.and_then(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day));
            assert_eq!(parse_french_words(text.as_bytes()), expected, "{text}");
        }
    }

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
