//! Workbooks of Excel: their only sheet as delimited text, which the parsers then read as any other file
//! (`domain/ingestion.md` §1.16 and §1.18).
//!
//! A row of the sheet is a line of the same number, as long as the first row at least. Dates are ISO, at midnight without
//! the time; numbers are written as shortly as gives them back exactly. Rows are made one by one; the texts that a workbook
//! shares between its cells are held in memory, which is why its size is checked before anything is read.

use std::io::{self, BufRead, BufReader, Read, Seek};
use std::panic::{self, AssertUnwindSafe};

use ::zip::ZipArchive;
use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxCellReader, XlsxError};

use crate::error::FileError;

/// Most bytes of a workbook once uncompressed.
const LARGEST: u64 = 2 * 1024 * 1024 * 1024;
/// Most bytes looked at together.
const LONGEST: u64 = 1024 * 1024;
/// Rows and columns of the largest sheet that Excel makes.
const MOST: (u32, u32) = (1_048_576, 16_384);

/// Opens the only sheet of a workbook and hands it to `read` as delimited text, with quotes where needed. A workbook of
/// several sheets, or one that would fill the memory, is refused.
pub(crate) fn read_xlsx<T>(archive: impl Read + Seek, delimiter: u8, read: impl FnOnce(&mut dyn Read) -> T) -> Result<T, FileError> {
    read_up_to(LARGEST, archive, delimiter, read)
}

fn read_up_to<T>(limit: u64, archive: impl Read + Seek, delimiter: u8, read: impl FnOnce(&mut dyn Read) -> T) -> Result<T, FileError> {
    let mut archive = BufReader::new(archive);
    check_size(&mut archive, limit)?;
    archive.rewind()?;
    let mut workbook = guarded(|| Xlsx::new(archive))?;
    let sheets = workbook.sheet_names();
    let [name] = sheets.as_slice() else { return Err(FileError::SeveralSheets(sheets.len())) };
    let cells = guarded(|| workbook.worksheet_cells_reader(name))?;
    Ok(read(&mut SheetText::new(cells, delimiter)))
}

/// Refuses a zip bomb: first by what its directory says, then, since that may lie, by what its files hold, and by the room
/// that they ask for.
fn check_size(archive: impl Read + Seek, limit: u64) -> Result<(), FileError> {
    let mut archive = ZipArchive::new(archive).map_err(io::Error::other)?;
    let mut said = 0u64;
    for index in 0..archive.len() {
        said = said.saturating_add(archive.by_index_raw(index).map_err(io::Error::other)?.size());
    }
    if said > limit {
        return Err(FileError::TooLarge { limit });
    }
    let (mut left, mut tag) = (limit, Vec::new());
    for index in 0..archive.len() {
        let mut file = BufReader::new(archive.by_index(index).map_err(io::Error::other)?);
        while file.by_ref().take(LONGEST).read_until(b'>', &mut tag)? > 0 {
            left = left.checked_sub(tag.len() as u64).ok_or(FileError::TooLarge { limit })?;
            if announced_texts(&tag) > limit / size_of::<String>() as u64 {
                return Err(FileError::TooLarge { limit });
            }
            tag.clear();
        }
    }
    Ok(())
}

/// How many shared texts a tag announces: room is made for them before they are read.
fn announced_texts(tag: &[u8]) -> u64 {
    const NAME: &[u8] = b"uniqueCount";
    let Some(at) = memchr::memmem::find(tag, NAME) else { return 0 };
    let value = tag[at + NAME.len()..].iter().skip_while(|byte| matches!(byte, b'=' | b'"' | b'\'' | b' '));
    let digits = value.take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |count: u64, digit| count.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// Calls the library, whose arithmetic may panic on a damaged workbook.
fn guarded<T>(call: impl FnOnce() -> Result<T, XlsxError>) -> io::Result<T> {
    let outcome = panic::catch_unwind(AssertUnwindSafe(call)).map_err(|_| invalid("the workbook is damaged"))?;
    outcome.map_err(invalid)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A cell that is not empty: its row, its column, its text.
type TextCell = (u32, u32, String);

/// A sheet as delimited text.
struct SheetText<'a, RS: Read + Seek> {
    cells: XlsxCellReader<'a, RS>,
    delimiter: u8,
    /// First cell of the next row.
    next: Option<TextCell>,
    /// Fields of the first row; none before it.
    width: Option<u32>,
    /// Rows written.
    rows: u32,
    text: Vec<u8>,
    given: usize,
    /// Whether the last cell was read: the reader may not be asked again.
    ended: bool,
}

impl<'a, RS: Read + Seek> SheetText<'a, RS> {
    fn new(cells: XlsxCellReader<'a, RS>, delimiter: u8) -> Self {
        Self { cells, delimiter, next: None, width: None, rows: 0, text: Vec::new(), given: 0, ended: false }
    }

    /// The next cell that holds something.
    fn cell(&mut self) -> io::Result<Option<TextCell>> {
        while !self.ended {
            let Some(cell) = guarded(|| self.cells.next_cell())? else {
                self.ended = true;
                break;
            };
            let (row, column) = cell.get_position();
            if row >= MOST.0 || column >= MOST.1 {
                return Err(invalid("a cell lies beyond the largest sheet"));
            }
            let text = text(cell.get_value());
            if !text.is_empty() {
                return Ok(Some((row, column, text)));
            }
        }
        Ok(None)
    }

    /// Writes the next row, and the blank ones before it; `false` at the end.
    fn row(&mut self) -> io::Result<bool> {
        self.text.clear();
        self.given = 0;
        let first = match self.next.take() {
            Some(cell) => Some(cell),
            None => self.cell()?,
        };
        let Some((row, mut column, mut text)) = first else { return Ok(false) };
        let blank = row.checked_sub(self.rows).ok_or_else(|| invalid("the rows are out of order"))?;
        self.text.extend(std::iter::repeat_n(b'\n', blank as usize));
        let mut written = 0;
        loop {
            self.pad(&mut written, column)?;
            self.field(&text);
            match self.cell()? {
                Some((same, after, more)) if same == row => (column, text) = (after, more),
                other => {
                    self.next = other;
                    break;
                }
            }
        }
        let last = self.width.get_or_insert(written).saturating_sub(1);
        if written <= last {
            self.pad(&mut written, last)?;
        }
        self.text.push(b'\n');
        self.rows = row + 1;
        Ok(true)
    }

    /// Begins the field of a column, after empty ones for those passed over.
    fn pad(&mut self, written: &mut u32, column: u32) -> io::Result<()> {
        let empty = column.checked_sub(*written).ok_or_else(|| invalid("the cells of a row are out of order"))?;
        let delimiters = empty + u32::from(*written > 0);
        self.text.extend(std::iter::repeat_n(self.delimiter, delimiters as usize));
        *written = column + 1;
        Ok(())
    }

    fn field(&mut self, text: &str) {
        let quoted = text.bytes().any(|byte| byte == self.delimiter || byte == b'"');
        if quoted {
            self.text.push(b'"');
        }
        // Line breaks inside a value would move the number of every line after it.
        for byte in text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }) {
            self.text.push(byte);
            if byte == b'"' {
                self.text.push(byte);
            }
        }
        if quoted {
            self.text.push(b'"');
        }
    }
}

impl<RS: Read + Seek> Read for SheetText<'_, RS> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if !self.row()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// What a cell says, as text.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(moment) if moment.is_datetime() => iso(*moment),
        DataRef::DateTime(duration) => duration.as_f64().to_string(),
        DataRef::DateTimeIso(text) => text.strip_suffix("T00:00:00").unwrap_or(text).to_owned(),
        DataRef::DurationIso(text) => text.clone(),
        // `#N/A` and the like: the parser decides what a text is worth there.
        DataRef::Error(error) => error.to_string(),
    }
}

/// `YYYY-MM-DD`, with the time when it is not midnight.
fn iso(moment: ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second, milli) == (0, 0, 0, 0) { date } else { format!("{date} {hour:02}:{minute:02}:{second:02}.{milli:03}") }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use ::zip::ZipWriter;
    use ::zip::write::SimpleFileOptions;
    use proptest::prelude::*;
    use rust_xlsxwriter::{ExcelDateTime as Moment, Format, Workbook};

    use super::*;

    fn read(bytes: &[u8], delimiter: u8) -> Result<io::Result<String>, FileError> {
        read_xlsx(Cursor::new(bytes), delimiter, |text| {
            let mut out = String::new();
            text.read_to_string(&mut out).map(|_| out)
        })
    }

    /// A workbook with this XML as its sheet.
    fn workbook(rows: &str) -> Vec<u8> {
        let parts = [
            ("_rels/.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned()),
            ("xl/_rels/workbook.xml.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="s1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#.to_owned()),
            ("xl/workbook.xml", r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="s1"/></sheets></workbook>"#.to_owned()),
            ("xl/worksheets/sheet1.xml", format!(r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"#)),
        ];
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            archive.start_file(name, SimpleFileOptions::default()).unwrap();
            archive.write_all(content.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// A workbook as Excel writes it.
    fn sample() -> Vec<u8> {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        for (column, name) in ["text", "number", "date", "last"].into_iter().enumerate() {
            sheet.write(0, column as u16, name).unwrap();
        }
        let date = Format::new().set_num_format("dd/mm/yyyy");
        sheet.write(1, 0, "a;b").unwrap();
        sheet.write(1, 1, 0.1).unwrap();
        sheet.write_with_format(1, 2, Moment::from_ymd(2012, 12, 31).unwrap(), &date).unwrap();
        sheet.write(1, 3, true).unwrap();
        sheet.write(3, 0, "say \"hi\"\nbye").unwrap();
        sheet.write(3, 1, 123_456_789_012_345.0).unwrap();
        let moment = Moment::from_ymd(2012, 12, 31).unwrap().and_hms(12, 30, 0).unwrap();
        sheet.write_with_format(3, 2, moment, &date).unwrap();
        sheet.write_blank(4, 1, &date).unwrap();
        sheet.write(5, 2, -9.13e-7).unwrap();
        sheet.write(5, 5, "beyond").unwrap();
        workbook.save_to_buffer().unwrap()
    }

    #[test]
    fn a_sheet_becomes_lines_of_the_same_numbers() {
        let expected = "text;number;date;last\n\"a;b\";0.1;2012-12-31;true\n\n\"say \"\"hi\"\" bye\";123456789012345;2012-12-31 12:30:00.000;\n\n;;-0.000000913;;;beyond\n";
        assert_eq!(read(&sample(), b';').unwrap().unwrap(), expected);
        let commas = read(&sample(), b',').unwrap().unwrap();
        assert!(commas.starts_with("text,number,date,last\na;b,0.1,"), "{commas}");
    }

    #[test]
    fn several_sheets_are_refused() {
        let mut workbook = Workbook::new();
        workbook.add_worksheet();
        workbook.add_worksheet();
        let error = read(&workbook.save_to_buffer().unwrap(), b';').unwrap_err();
        assert!(matches!(error, FileError::SeveralSheets(2)), "{error}");
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_read() {
        let bytes = workbook(&" ".repeat(100_000));
        assert!(bytes.len() < 5_000);
        let refused =
            |bytes: &[u8]| matches!(read_up_to(50_000, Cursor::new(bytes), b';', |_| ()), Err(FileError::TooLarge { limit: 50_000 }));
        assert!(refused(&bytes));
        // A directory that says less than its files hold.
        let mut lying = bytes;
        for at in 0..lying.len() - 46 {
            if lying[at..at + 4] == *b"PK\x01\x02" {
                lying[at + 24..at + 28].copy_from_slice(&1u32.to_le_bytes());
            }
        }
        let outcome = read_up_to(50_000, Cursor::new(&lying), b';', |_| ());
        assert!(matches!(outcome, Err(FileError::TooLarge { .. } | FileError::Unreadable(_))));
    }

    #[test]
    fn texts_are_announced_by_their_number() {
        for (tag, count) in [
            (r#"<sst count="9" uniqueCount="99999999999999999999">"#, u64::MAX),
            (r#"<sst uniqueCount="12" count="15">"#, 12),
            ("<sst uniqueCount = '12'>", 12),
            (r#"<sst uniqueCount="">"#, 0),
            ("<sst>", 0),
        ] {
            assert_eq!(announced_texts(tag.as_bytes()), count, "{tag}");
        }
        let bytes = workbook(r#"<c uniqueCount="50000">"#);
        assert!(matches!(read_up_to(50_000, Cursor::new(bytes), b';', |_| ()), Err(FileError::TooLarge { .. })));
    }

    #[test]
    fn what_is_no_workbook_is_unreadable() {
        for bytes in [&b""[..], b"PK", b"siren;x\n1;2\n", &sample()[..500]] {
            assert!(matches!(read(bytes, b';'), Err(FileError::Unreadable(_))));
        }
    }

    #[test]
    fn cells_where_none_may_be_are_refused() {
        let good = r#"<row r="1"><c r="A1"><v>1</v></c><c r="C1"><v>2.5</v></c></row><row r="3"><c r="B3" t="str"><v>x</v></c></row>"#;
        assert_eq!(read(&workbook(good), b';').unwrap().unwrap(), "1;;2.5\n\n;x;\n");
        assert_eq!(read(&workbook(""), b';').unwrap().unwrap(), "");
        for bad in [
            r#"<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>"#,
            r#"<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>"#,
            r#"<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>1</v></c></row>"#,
            r#"<row r="1"><c r="XFE1"><v>1</v></c></row>"#,
            r#"<row r="1048577"><c r="A1048577"><v>1</v></c></row>"#,
            r#"<row r="1"><c r="A1"><v>1</v>"#,
        ] {
            assert!(!matches!(read(&workbook(bad), b';'), Ok(Ok(_))), "{bad}");
        }
    }

    /// Pieces of a sheet, to be put together at random.
    const PIECES: [&str; 24] = [
        "<row",
        "</row>",
        "<c",
        "</c>",
        "<v>",
        "</v>",
        "<is><t>",
        "</t></is>",
        ">",
        "/>",
        " r=\"",
        " t=\"",
        " s=\"",
        "\"",
        "A1",
        "B2",
        "XFD1048576",
        "1",
        "99999999999",
        "s",
        "d",
        "inlineStr",
        "<f t=\"shared\" si=\"0\">",
        "</f>",
    ];

    proptest! {
        #[test]
        fn damaged_workbooks_never_panic(at in any::<usize>(), byte in any::<u8>(), pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..30)) {
            let mut bytes = sample();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = read(&bytes, b';');
            let _ = read(&workbook(&pieces.concat()), b';');
            let _ = read(&workbook(&format!(r#"<row r="1"><c r="A1">{}</c></row>"#, pieces.concat())), b';');
        }
    }
}
