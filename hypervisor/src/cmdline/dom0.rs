//! Options about dom0: its memory, its vCPUs, its kind.

use super::Options;
use super::value::{Parsed, Value, item, leading_number, leading_size, list, number};

/// An amount of memory: a number of bytes and a share of the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes; added to the share. All but so many when `negative`.
    pub bytes: u64,
    /// Hundredths of all memory, up to 100.
    pub percent: u8,
    /// The amount is what is left to the hypervisor.
    pub negative: bool,
}

impl Amount {
    /// The amount in bytes on a machine with `total` bytes available; never more than those.
    #[must_use]
    pub fn resolve(self, total: u64) -> u64 {
        let share = u128::from(total) * u128::from(self.percent) / 100;
        let bytes = u64::try_from(share)
            .unwrap_or(u64::MAX)
            .saturating_add(self.bytes);
        if self.negative {
            total.saturating_sub(bytes)
        } else {
            bytes.min(total)
        }
    }
}

/// `dom0_mem`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dom0Mem {
    /// What dom0 starts with; absent: nearly all.
    pub initial: Option<Amount>,
    /// The least that it starts with.
    pub min: Option<Amount>,
    /// The most that it may balloon up to.
    pub max: Option<Amount>,
}

/// `dom0_max_vcpus`: as many vCPUs as CPUs, within these limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuRange {
    /// At least so many.
    pub min: u32,
    /// At most so many.
    pub max: u32,
}

impl Default for VcpuRange {
    fn default() -> Self {
        Self {
            min: 1,
            max: u32::MAX,
        }
    }
}

impl VcpuRange {
    /// The number of dom0's vCPUs on a machine with `cpus` CPUs; at least 1.
    #[must_use]
    pub fn resolve(self, cpus: u32) -> u32 {
        cpus.max(self.min).min(self.max).max(1)
    }
}

/// `dom0`: which kind of dom0 to build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dom0Mode {
    /// Paravirtualised.
    #[default]
    Pv,
    /// In a hardware virtual machine.
    Pvh,
}

pub(super) fn dom0_mem(options: &mut Options, value: Value<'_>) -> Parsed {
    let mut mem = Dom0Mem::default();
    list(value.required()?, |item| {
        if let Some(text) = item.strip_prefix("min:") {
            mem.min = Some(amount(text)?);
        } else if let Some(text) = item.strip_prefix("max:") {
            mem.max = Some(amount(text)?);
        } else {
            mem.initial = Some(amount(item)?);
        }
        Ok(())
    })?;
    options.dom0_mem = mem;
    Ok(())
}

/// `[-]SIZE`, `[-]PERCENT%` or `[-]SIZE+PERCENT%`.
fn amount(text: &str) -> Parsed<Amount> {
    const EXPECTED: &str = "sizes such as 1G, min:512M, max:1G, -256M, 25% are expected";
    let (text, negative) = match text.strip_prefix('-') {
        Some(text) => (text, true),
        None => (text, false),
    };
    if let Some(percent) = percent(text) {
        return Ok(Amount {
            bytes: 0,
            percent,
            negative,
        });
    }
    let (bytes, rest) = leading_size(text).map_err(|_| EXPECTED)?;
    let percent = match rest {
        "" => 0,
        _ => rest.strip_prefix('+').and_then(percent).ok_or(EXPECTED)?,
    };
    Ok(Amount {
        bytes,
        percent,
        negative,
    })
}

fn percent(text: &str) -> Option<u8> {
    match leading_number(text)? {
        (percent @ 0..=100, "%") => u8::try_from(percent).ok(),
        _ => None,
    }
}

pub(super) fn dom0_max_vcpus(options: &mut Options, value: Value<'_>) -> Parsed {
    let text = value.required()?;
    let range = match text.split_once('-') {
        None => {
            let exact = number(text)?;
            VcpuRange {
                min: exact,
                max: exact,
            }
        }
        Some((min, max)) => VcpuRange {
            min: if min.is_empty() { 1 } else { number(min)? },
            max: if max.is_empty() {
                u32::MAX
            } else {
                number(max)?
            },
        },
    };
    if range.max == 0 || range.min > range.max {
        return Err("a number from 1 up, or MIN-MAX with MIN not above MAX, is expected");
    }
    options.dom0_max_vcpus = range;
    Ok(())
}

pub(super) fn dom0(options: &mut Options, value: Value<'_>) -> Parsed {
    list(value.required()?, |text| match item(text) {
        ("pv", v) if v.boolean()? => {
            options.dom0_mode = Dom0Mode::Pv;
            Ok(())
        }
        ("pvh", v) if v.boolean()? => {
            options.dom0_mode = Dom0Mode::Pvh;
            Ok(())
        }
        ("pv" | "pvh", _) => Ok(()),
        ("verbose", v) => {
            options.dom0_verbose = v.boolean()?;
            Ok(())
        }
        ("shadow" | "pf-fixup", _) => Err("shadow and pf-fixup are for a PVH dom0"),
        ("msr-relaxed" | "cpuid-faulting", _) => {
            Err("msr-relaxed and cpuid-faulting are not supported yet")
        }
        _ => Err("pv, pvh or verbose is expected"),
    })
}

/// `FIRST-LAST`, hexadecimal, any number of them.
pub(super) fn dom0_ioports_disable(options: &mut Options, value: Value<'_>) -> Parsed {
    const EXPECTED: &str = "ranges of ports in hexadecimal such as 60-64 are expected";
    let port = |text: &str| {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        u16::from_str_radix(digits, 16).map_err(|_| EXPECTED)
    };
    list(value.required()?, |text| {
        let (first, last) = text.split_once('-').ok_or(EXPECTED)?;
        let range = (port(first)?, port(last)?);
        if range.1 < range.0 {
            return Err(EXPECTED);
        }
        options
            .dom0_ioports_disable
            .try_push(range)
            .map_err(|_| "no more than 16 ranges are taken")
    })
}
