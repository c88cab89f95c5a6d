//! Options about the CPUs and the measures against speculation.

use super::Options;
use super::value::{Parsed, Value, item, list};

/// `xpti`: a PV guest's kernel runs without the hypervisor mapped. `None` leaves it to the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Xpti {
    /// For dom0.
    pub dom0: Option<bool>,
    /// For other domains.
    pub domu: Option<bool>,
}

/// How indirect branches are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thunk {
    /// As retpolines.
    Retpoline,
    /// After an LFENCE.
    Lfence,
    /// Plainly.
    Jmp,
}

/// `spec-ctrl`; `None` leaves a measure to the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecCtrl {
    /// Indirect branch restricted speculation while in the hypervisor.
    pub ibrs: Option<bool>,
    /// A branch prediction barrier when another vCPU is run.
    pub ibpb: Option<bool>,
    /// Filling the return stack buffer on entry.
    pub rsb: Option<bool>,
    /// Clearing microarchitectural buffers before a guest runs.
    pub verw: Option<bool>,
    /// Speculative store bypass disabled in the hypervisor.
    pub ssbd: Option<bool>,
    /// Indirect branches.
    pub thunk: Option<Thunk>,
}

pub(super) fn xpti(options: &mut Options, value: Value<'_>) -> Parsed {
    let text = match value.boolean_or_text()? {
        Ok(on) => {
            options.xpti = Xpti {
                dom0: Some(on),
                domu: Some(on),
            };
            return Ok(());
        }
        Err(text) => text,
    };
    list(text, |text| {
        match item(text) {
            (
                "default",
                Value {
                    text: None,
                    negated: false,
                },
            ) => options.xpti = Xpti::default(),
            ("dom0", v) => options.xpti.dom0 = Some(v.boolean()?),
            ("domu", v) => options.xpti.domu = Some(v.boolean()?),
            (
                name,
                Value {
                    text: None,
                    negated: false,
                },
            ) => {
                let on = super::value::boolean(name)
                    .ok_or("default, dom0=BOOL or domu=BOOL is expected")?;
                options.xpti = Xpti {
                    dom0: Some(on),
                    domu: Some(on),
                };
            }
            _ => return Err("default, dom0=BOOL or domu=BOOL is expected"),
        }
        Ok(())
    })
}

pub(super) fn spec_ctrl(options: &mut Options, value: Value<'_>) -> Parsed {
    let all = |on: Option<bool>| SpecCtrl {
        ibrs: on,
        ibpb: on,
        rsb: on,
        verw: on,
        ssbd: on,
        thunk: on.filter(|on| !on).map(|_| Thunk::Jmp),
    };
    let text = match value.boolean_or_text()? {
        // "On" is what happens anyway: what the CPU needs.
        Ok(on) => {
            options.spec_ctrl = all(Some(false).filter(|_| !on));
            return Ok(());
        }
        Err(text) => text,
    };
    let spec = &mut options.spec_ctrl;
    list(text, |text| {
        match item(text) {
            (
                "bti-thunk",
                Value {
                    text: Some(thunk),
                    negated: false,
                },
            ) => {
                spec.thunk = Some(match thunk {
                    "retpoline" => Thunk::Retpoline,
                    "lfence" => Thunk::Lfence,
                    "jmp" => Thunk::Jmp,
                    _ => return Err("bti-thunk is retpoline, lfence or jmp"),
                });
            }
            (
                "no" | "off" | "false",
                Value {
                    text: None,
                    negated: false,
                },
            ) => {
                *spec = all(Some(false));
            }
            // Xen's "no-xen": nothing to protect the hypervisor itself.
            ("xen", v) => *spec = all(Some(false).filter(|_| v.boolean() == Ok(false))),
            ("ibrs", v) => spec.ibrs = Some(v.boolean()?),
            ("ibpb", v) => spec.ibpb = Some(v.boolean()?),
            ("rsb", v) => spec.rsb = Some(v.boolean()?),
            ("verw" | "md-clear", v) => spec.verw = Some(v.boolean()?),
            ("ssbd", v) => spec.ssbd = Some(v.boolean()?),
            (
                "pv" | "hvm" | "msr-sc" | "ibpb-entry" | "ibpb-alt" | "stibp" | "psfd"
                | "eager-fpu" | "l1d-flush" | "branch-harden" | "srb-lock" | "unpriv-mmio"
                | "gds-mit" | "div-scrub" | "bhb-entry" | "bhi-dis-s" | "lock-harden"
                | "bp-spec-reduce" | "its-mit",
                _,
            ) => return Err("only ibrs, ibpb, rsb, verw, ssbd, bti-thunk and xen can be chosen"),
            _ => return Err("ibrs, ibpb, rsb, verw, ssbd, bti-thunk, xen or no is expected"),
        }
        Ok(())
    })
}
