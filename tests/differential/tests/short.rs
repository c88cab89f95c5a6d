//! The short form: a new seed finds what the long one, `cargo xtask differential`, finds later.
#![forbid(unsafe_code)]

use std::io::ErrorKind;

/// Instructions compared: a few seconds without optimisation.
const COUNT: u64 = 50_000;

#[test]
fn emulator_and_processor_agree() {
    let report = match differential::run(1, COUNT, 1) {
        Ok(report) => report,
        Err(why)
            if matches!(
                why.kind(),
                ErrorKind::Unsupported | ErrorKind::PermissionDenied | ErrorKind::NotFound
            ) =>
        {
            eprintln!("left out: no process can be traced here ({why})");
            return;
        }
        Err(why) => panic!("{why}"),
    };
    assert_eq!(report.differed, 0, "{:#?}", report.differences);
    assert!(report.executed >= COUNT);
    for entry in ["load", "store", "privileged"] {
        let count = report.entries.get(entry).copied().unwrap_or(0);
        assert!(count > COUNT / 50, "only {count} of {entry}");
    }
}
