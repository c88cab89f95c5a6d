//! Keeps `docs/hypercalls.md` true: makes every call and every operation of Xen's interface on
//! the simulated machine and compares what is answered with what the page says.
//!
//! An operation counts as served when it answers anything but `ENOSYS` and `EOPNOTSUPP` to an
//! argument of zeros. `UPDATE_DOCS=1` in the environment writes the page anew.

extern crate std;

use super::TABLE;
use crate::fail::Fail;
use crate::simtest::calls::{FAMILIES, Family, answer};
use crate::testing::World;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use std::fs;
use xen_abi::Errno;
use xen_abi::hypercall::{self, HYPERCALLS};

/// Where the generated part begins and ends.
const BEGIN: &str = "<!-- generated -->\n";
const END: &str = "<!-- end of what is generated -->\n";

fn is_served(nr: u32) -> bool {
    TABLE.iter().any(|row| row.nr == nr && row.pv)
}

fn operations(page: &mut String, family: &Family) {
    let nr = family.nr;
    let name = super::name(nr.into());
    let _ = write!(page, "\n### {name} ({nr})\n\n| operation | |\n|---|---|\n");
    let world = World::new(1);
    for (id, (name, op)) in (1..).zip(family.ops) {
        let said = match answer(&world, id, family, *op) {
            Err(Fail::Errno(Errno::ENOSYS)) => "no",
            Err(Fail::Errno(Errno::EOPNOTSUPP)) => "refused: `EOPNOTSUPP`",
            _ => "yes",
        };
        let _ = writeln!(page, "| `{name}` ({op}) | {said} |");
    }
}

fn page() -> String {
    let mut page = String::from(
        "\n## Calls\n\n| number | call | to PV guests | to hardware-virtualised ones |\n|---|---|---|---|\n",
    );
    let common = HYPERCALLS
        .iter()
        .filter(|(name, _)| !name.starts_with("ARCH_"));
    for (name, nr) in common.chain(&[("MCA", hypercall::MCA)]) {
        let row = TABLE.iter().find(|row| row.nr == *nr);
        let no = "no: `ENOSYS`";
        let pv = row.filter(|row| row.pv).map_or(no, |_| "yes");
        let hvm = row
            .filter(|row| row.hvm)
            .map_or(no, |row| match row.narrow {
                true => "yes",
                false => "from 64-bit code",
            });
        let _ = writeln!(page, "| {nr} | `{}` | {pv} | {hvm} |", name.to_lowercase());
    }
    page.push_str("\n## Operations\n");
    for family in FAMILIES.iter().filter(|family| is_served(family.nr)) {
        operations(&mut page, family);
    }
    page.push('\n');
    page
}

/// The page names what is served and what is not, as it is.
#[test]
fn the_page_on_hypercalls_is_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hypercalls.md");
    let text = fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (said, after) = rest.split_once(END).unwrap();
    let is = page();
    if said == is {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, format!("{before}{BEGIN}{is}{END}{after}")).unwrap();
        return;
    }
    let new = is
        .lines()
        .filter(|line| !said.lines().any(|old| old == *line));
    let new: String = new.map(|line| format!("{line}\n")).collect();
    panic!(
        "docs/hypercalls.md is out of date; `UPDATE_DOCS=1 cargo test -p hypervisor documented` \
         writes it anew. It lacks:\n{new}"
    );
}
