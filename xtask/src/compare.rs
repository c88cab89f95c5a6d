//! `cargo xtask compare`: what Linux says as dom0 on Xenios and not on the real Xen, and the
//! other way round. Times, addresses and other numbers do not count.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::boots::Trial;
use crate::dom0;
use crate::run::Host;
use crate::setup::{self, Need};
use crate::{build, paths};

/// Boots dom0 on both in the same machine and prints the differences of their kernel logs.
pub fn compare() -> Result<()> {
    setup::ensure(&[Need::Qemu])?;
    let dom0 = dom0::ensure()?;
    build::image(false)?;
    let trial = Trial {
        mode: "dmesg",
        limit: Duration::from_secs(300),
        ..Trial::USUAL
    };
    let xen = messages(&trial.watch("compare-xen", Host::Xen, &dom0)?.lines);
    let xenios = messages(&trial.watch("compare-xenios", Host::Xenios, &dom0)?.lines);
    ensure!(
        !xen.is_empty(),
        "no kernel log from the real Xen; see {}",
        paths::logs()?.display()
    );
    ensure!(
        !xenios.is_empty(),
        "no kernel log from Xenios; see {}",
        paths::logs()?.display()
    );
    only("only on the real Xen", &xen, &xenios);
    only("only on Xenios", &xenios, &xen);
    Ok(())
}

/// Kernel messages without their numbers: the first as it was printed, and how many there were.
type Messages = BTreeMap<String, (String, usize)>;

/// The kernel log that `init.sh` printed between its two marks.
fn messages(lines: &[String]) -> Messages {
    let mut all = Messages::new();
    let log = lines
        .iter()
        .skip_while(|line| !line.contains("DMESG-BEGIN"))
        .skip(1);
    for line in log.take_while(|line| !line.contains("DMESG-END")) {
        let text = line
            .split_once("] ")
            .map_or(line.as_str(), |(_, text)| text);
        let seen = all
            .entry(without_numbers(text))
            .or_insert_with(|| (text.to_owned(), 0));
        seen.1 += 1;
    }
    all
}

/// `text` with each number, hexadecimal ones included, replaced by `#`.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let number = digits.starts_with(|c: char| c.is_ascii_digit())
            || digits.len() >= 8 && digits.chars().all(|c| c.is_ascii_hexdigit());
        if number && !digits.is_empty() {
            out.push('#');
            out.push_str(&word[digits.len()..]);
        } else {
            out.push_str(word);
        }
    }
    out
}

fn only(title: &str, here: &Messages, there: &Messages) {
    println!("{title}:");
    for (key, (text, count)) in here {
        let others = there.get(key).map_or(0, |(_, count)| *count);
        if others == 0 {
            println!("  {text}");
        } else if *count > others + others / 2 + 2 {
            println!("  {text}  ({count} times instead of {others})");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_count() {
        assert_eq!(
            without_numbers("e820: 0x1000-0x2fff usable, cpu0"),
            "e#: #-# usable, cpu0".replace("e#", "e820")
        );
        assert_eq!(
            without_numbers("took 12 ms at ffff8881deadbeef."),
            "took # ms at #."
        );
    }

    #[test]
    fn only_what_is_between_the_marks() {
        let lines = [
            "noise",
            "DMESG-BEGIN",
            "[    0.1] Hello 5",
            "DMESG-END",
            "[    1.0] Bye",
        ]
        .map(str::to_owned);
        assert_eq!(messages(&lines).keys().collect::<Vec<_>>(), ["Hello #"]);
    }
}
