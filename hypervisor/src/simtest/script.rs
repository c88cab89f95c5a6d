//! A script: what every vCPU does, in which order, and on what machine, as text and back.

use super::chance::Chance;
use super::layout::{SLOTS, VCPUS};
use super::op::Op;
use super::value::hex;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// A vCPU, by the slot of its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// Of its domain.
    pub slot: u8,
    /// Its number there.
    pub vcpu: u8,
}

impl Who {
    /// All that have a script.
    pub fn all() -> impl Iterator<Item = Who> {
        (0..SLOTS).flat_map(|slot| (0..VCPUS).map(move |vcpu| Who { slot, vcpu }))
    }

    /// Its place among [`Who::all`].
    pub fn index(self) -> usize {
        usize::from(self.slot * VCPUS + self.vcpu)
    }
}

/// The machine and how its CPUs are interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Of the interleaving.
    pub seed: u64,
    /// Physical CPUs.
    pub cpus: u8,
    /// Steps of guests between two looks of the judge.
    pub round: u32,
    /// Long work is interrupted at its so-many'th look at other work; 0 for by time.
    pub patience: u8,
    /// What the secrets of domain 2 are made of; see [`super::twin`].
    pub secret: u64,
}

impl Setting {
    /// The one that goes with a seed.
    pub fn of(seed: u64) -> Setting {
        let mut chance = Chance::new(seed);
        Setting {
            seed,
            cpus: chance.of(&[1, 2, 2, 2, 3, 4]),
            round: chance.of(&[32, 256, 1024, 1024, 4096]),
            patience: chance.of(&[0, 0, 0, 2, 5]),
            secret: 0,
        }
    }
}

/// A script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The machine.
    pub setting: Setting,
    /// Steps; those of one vCPU are done in this order.
    pub steps: Vec<(Who, Op)>,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting {
            seed,
            cpus,
            round,
            patience,
            secret,
        } = self.setting;
        writeln!(
            f,
            "machine {seed:x} {cpus:x} {round:x} {patience:x} {secret:x}"
        )?;
        self.steps
            .iter()
            .try_for_each(|(who, op)| writeln!(f, "{}.{} {op}", who.slot, who.vcpu))
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Script, String> {
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.next().unwrap_or("");
        let numbers = first.strip_prefix("machine ").ok_or("no machine")?;
        let numbers: Vec<u64> = numbers
            .split_whitespace()
            .map(hex)
            .collect::<Result<_, _>>()?;
        let [seed, cpus, round, patience, secret] = numbers[..] else {
            return Err("a machine has five numbers".into());
        };
        let setting = Setting {
            seed,
            cpus: cpus as u8,
            round: round as u32,
            patience: patience as u8,
            secret,
        };
        let steps = lines
            .map(|line| {
                let (who, op) = line.split_once(' ').ok_or("a step without an operation")?;
                let (slot, vcpu) = who.split_once('.').ok_or("whose step?")?;
                let who = Who {
                    slot: hex(slot)? as u8,
                    vcpu: hex(vcpu)? as u8,
                };
                if who.slot >= SLOTS || who.vcpu >= VCPUS {
                    return Err(alloc::format!("{line:?}: there is no such vCPU"));
                }
                Ok((who, op.parse()?))
            })
            .collect::<Result<_, String>>()?;
        Ok(Script { setting, steps })
    }
}
