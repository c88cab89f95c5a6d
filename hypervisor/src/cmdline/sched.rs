//! Options about scheduling.

use super::Options;
use super::value::{Parsed, Value, number};
use crate::sched::Kind;
use xen_abi::sysctl::{XEN_SYSCTL_SCHED_RATELIMIT_MAX, XEN_SYSCTL_SCHED_RATELIMIT_MIN};

pub(super) fn sched(options: &mut Options, value: Value<'_>) -> Parsed {
    let name = value.required()?;
    let kinds = [Kind::Credit2, Kind::Rtds, Kind::Null];
    match (name, kinds.into_iter().find(|kind| kind.name() == name)) {
        (_, Some(kind)) => options.sched = kind,
        ("credit" | "arinc653", None) => {
            return Err("this scheduler is not there; credit2, rtds and null are");
        }
        _ => return Err("credit2, rtds or null is expected"),
    }
    Ok(())
}

pub(super) fn ratelimit(options: &mut Options, value: Value<'_>) -> Parsed {
    let us = number(value.required()?)?;
    let range = XEN_SYSCTL_SCHED_RATELIMIT_MIN..=XEN_SYSCTL_SCHED_RATELIMIT_MAX;
    if us != 0 && !range.contains(&us) {
        return Err("0 or 100 to 500000 microseconds is expected");
    }
    options.sched_ratelimit_us = us;
    Ok(())
}

pub(super) fn granularity(_: &mut Options, value: Value<'_>) -> Parsed {
    match value.required()? {
        "cpu" => Ok(()),
        "core" | "socket" => Err("CPUs are scheduled each for itself: cpu"),
        _ => Err("cpu is expected"),
    }
}
