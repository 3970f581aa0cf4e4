//! Files of other data sets, from their bytes to the results.

use std::collections::HashSet;
use std::fmt::Write;

use super::*;
use crate::learn::Kind;

/// A table of firms over three years; the ratio tells who fails.
fn csv(sides: bool, mixed: bool) -> String {
    let mut text = String::from("firm,year,failed,ratio,size");
    text.push_str(if sides { ",part\n" } else { "\n" });
    for firm in 0..900u32 {
        let fails = firm.wrapping_mul(2_654_435_761) % 100 < 20;
        for year in 2018..2021 {
            let ratio = f64::from(firm * 37 % 100) / 100.0 + if fails { 0.5 } else { 0.0 };
            let size = if firm % 11 == 0 { String::new() } else { (firm % 50).to_string() };
            write!(text, "\"F{firm}\",{year},{},{ratio},{size}", u8::from(fails)).unwrap();
            let part = ["train", "train", "validation", "test"][(firm + if mixed { year } else { 0 }) as usize % 4];
            if sides {
                write!(text, ",{part}").unwrap();
            }
            text.push('\n');
        }
    }
    text
}

fn columns(side: Option<&str>) -> Columns {
    Columns {
        entity: "firm".into(),
        time: "year".into(),
        label: "failed".into(),
        side: side.map(str::to_owned),
        ignored: vec![],
        embargo: None,
    }
}

fn asked(folder: &Path, text: &str, side: Option<&str>) -> Asked {
    let frame = folder.join("firms.csv");
    std::fs::write(&frame, text).unwrap();
    let parameters = vec![("min_data_in_leaf".to_owned(), "5".to_owned()), ("rounds".to_owned(), "60".to_owned())];
    Asked { frame, columns: columns(side), kind: Kind::Lightgbm, alone: false, parameters, threads: 1, out: folder.join("out") }
}

#[test]
fn a_file_is_learnt_from_and_the_results_are_whole_and_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let asked = asked(folder.path(), &csv(false, false), None);
    let report = run(&asked, &mut |_, _| ()).unwrap();
    assert!(report.figure(crate::evaluate::Figure::Auc).unwrap().value > 0.8);
    let read = |name: &str| std::fs::read_to_string(asked.out.join(name)).unwrap();
    let files = ["predictions.csv", "metrics.json", "model.txt", "card.html"].map(read);
    assert_eq!(std::fs::read_dir(&asked.out).unwrap().count(), files.len(), "no part is left behind");
    let tested: HashSet<&str> = files[0].lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(files[0].lines().count() - 1, 3 * tested.len(), "all years of a firm are on one side");
    assert!((100..260).contains(&tested.len()), "a fifth of the firms: {}", tested.len());
    run(&asked, &mut |_, _| ()).unwrap();
    assert_eq!(["predictions.csv", "metrics.json", "model.txt", "card.html"].map(read), files);
}

#[test]
fn given_sides_are_followed_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(&asked(folder.path(), &csv(true, false), Some("part")), &mut |_, _| ()).unwrap();
    let rows: Vec<usize> = report.sections[0].sides.iter().map(|side| side.rows).collect();
    assert_eq!(rows, [1350, 675, 675]);
    let refused = run(&asked(folder.path(), &csv(true, true), Some("part")), &mut |_, _| ()).unwrap_err();
    assert!(matches!(refused, TrainingError::BothSides { .. }), "{refused}");
}

#[test]
fn times_make_a_hold_out_with_an_embargo() {
    let folder = tempfile::tempdir().unwrap();
    // Twelve quarters, of which the tenth comes after the ninth although "10" sorts before "9".
    let mut text = String::from("firm,year,failed,ratio,knows\n");
    for firm in 0..600u32 {
        for quarter in 1..=12 {
            let fails = (firm * 7 + quarter).is_multiple_of(5);
            writeln!(text, "{firm},{quarter},{},{},{}", u8::from(fails), u8::from(fails) as u32 * 2 + firm % 3, u8::from(fails)).unwrap();
        }
    }
    let by_time = |embargo: u16| {
        let mut asked = asked(folder.path(), &text, None);
        asked.columns.embargo = Some(embargo);
        asked.columns.ignored = vec!["knows".into()];
        (run(&asked, &mut |_, _| ()), asked)
    };
    let (report, asked) = by_time(3);
    let report = report.unwrap();
    let rows: Vec<usize> = report.sections[0].sides.iter().map(|side| side.rows).collect();
    assert_eq!(rows, [5 * 600, 2 * 600, 2 * 600], "a sixth of twelve tests, as much validates, three are left out");
    assert!(report.effects.iter().all(|effect| effect.feature == "ratio"), "what is ignored is no feature");
    let predictions = std::fs::read_to_string(asked.out.join("predictions.csv")).unwrap();
    let tested: HashSet<&str> = predictions.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(tested, HashSet::from(["11", "12"]));
    assert!(by_time(8).0.unwrap_err().to_string().contains("none is left to train on"));
}

#[test]
fn given_sides_by_time_may_share_entities_but_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let given = |sides: [&str; 4]| {
        let mut text = String::from("firm,year,failed,ratio,part\n");
        for firm in 0..400u32 {
            for (year, side) in (2018..).zip(sides) {
                let fails = (firm + year) % 4 == 0;
                writeln!(text, "{firm},{year},{},{},{side}", u8::from(fails), firm % 9 + 4 * u32::from(fails)).unwrap();
            }
        }
        let mut asked = asked(folder.path(), &text, Some("part"));
        asked.columns.embargo = Some(0);
        run(&asked, &mut |_, _| ())
    };
    let report = given(["train", "train", "validation", "test"]).unwrap();
    assert_eq!(report.sections[0].sides.iter().map(|side| side.rows).collect::<Vec<_>>(), [800, 400, 400]);
    let refused = given(["train", "validation", "train", "test"]).unwrap_err().to_string();
    assert!(refused.contains("train ends at 2020, validation is 2019 to 2019"), "{refused}");
}

#[test]
fn what_a_file_lacks_or_cannot_mean_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |text: &str, side: Option<&str>| run(&asked(folder.path(), text, side), &mut |_, _| ()).unwrap_err().to_string();
    assert!(fails("firm,year,ratio\n", None).contains("'failed'"));
    assert!(fails("firm,year,failed,ratio\n1,2020,2,0.5\n", None).contains("a label is 2"));
    assert!(fails("firm,year,failed,ratio\n1,2020,1,much\n", None).contains("line 2, column 'ratio': 'much'"));
    assert!(fails("firm,year,failed,part,ratio\n1,2020,1,left,1\n", Some("part")).contains("'left'"));
    assert!(fails("firm,year,failed,ratio\n1,2020,1,0.5\n", None).contains("both outcomes are needed"));
}

#[test]
fn parquet_gives_the_rows_of_csv() {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
    let folder = tempfile::tempdir().unwrap();
    let (mut firm, mut year, mut failed, mut ratio) = (vec![], vec![], vec![], vec![]);
    let text: String = csv(false, false);
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        firm.push(cells[0].trim_matches('"').to_owned());
        year.push(cells[1].parse::<i64>().unwrap());
        failed.push(cells[2].parse::<i64>().unwrap());
        ratio.push(cells[3].parse::<f64>().unwrap());
    }
    let columns_of: Vec<(&str, ArrayRef)> = vec![
        ("firm", std::sync::Arc::new(StringArray::from(firm))),
        ("year", std::sync::Arc::new(Int64Array::from(year))),
        ("failed", std::sync::Arc::new(Int64Array::from(failed))),
        ("ratio", std::sync::Arc::new(Float64Array::from(ratio))),
    ];
    let batch = RecordBatch::try_from_iter(columns_of).unwrap();
    let path = folder.path().join("firms.parquet");
    let mut writer = parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    std::fs::write(folder.path().join("firms.csv"), &text).unwrap();

    let rows = |path: &Path| {
        let file = External::open(path, &columns(None)).unwrap();
        let width = file.features().len();
        let mut found = Vec::new();
        file.read(&mut |chunk| {
            found.extend(chunk.rows.iter().enumerate().map(|(at, row)| (*row, chunk.values_of(at, width)[0])));
            Ok(())
        })
        .unwrap();
        found
    };
    assert_eq!(rows(&path), rows(&folder.path().join("firms.csv")));
}
