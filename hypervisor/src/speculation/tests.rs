//! What is chosen for which processor and options.

use super::facts::caps::*;
use super::report::lines;
use super::{Facts, Vendor, choose};
use crate::cmdline::{Options, parse};
use alloc::string::ToString;
use machine::measures::{Ibrs, Measures, Thunk};

fn measures(facts: &Facts, line: &str) -> Measures {
    let (options, warnings) = parse(line);
    assert!(warnings.is_empty(), "{line}");
    choose(facts, &options).measures
}

fn skylake() -> Facts {
    Facts {
        thunks: true,
        vendor: Vendor::Intel,
        family: 6,
        model: 0x5e,
        smep: true,
        ibrsb: true,
        stibp: true,
        ssbd: true,
        md_clear: true,
        ..Facts::default()
    }
}

fn haswell() -> Facts {
    Facts {
        model: 0x3c,
        ..skylake()
    }
}

fn ice_lake() -> Facts {
    Facts {
        model: 0x6a,
        arch_caps: RDCL_NO | IBRS_ALL | MDS_NO | TAA_NO,
        ..skylake()
    }
}

fn zen3() -> Facts {
    Facts {
        thunks: true,
        vendor: Vendor::Amd,
        family: 0x19,
        model: 0x21,
        smep: true,
        ibrs: true,
        ibpb: true,
        stibp: true,
        stibp_always: true,
        ssbd: true,
        ..Facts::default()
    }
}

#[test]
fn a_processor_with_meltdown_gets_xpti_and_others_do_not() {
    for (facts, wanted) in [
        (skylake(), true),
        (haswell(), true),
        (ice_lake(), false),
        (zen3(), false),
    ] {
        let m = measures(&facts, "");
        assert_eq!(
            (m.xpti_control, m.xpti_others),
            (wanted, wanted),
            "{facts:?}"
        );
    }
    let unknown = Facts::default();
    assert!(measures(&unknown, "").xpti());
}

#[test]
fn xpti_obeys_the_command_line() {
    for facts in [skylake(), zen3()] {
        let both = |line: &str| {
            let m = measures(&facts, line);
            (m.xpti_control, m.xpti_others)
        };
        let kind = facts.vendor == Vendor::Intel;
        assert_eq!(both("xpti=on"), (true, true));
        assert_eq!(both("xpti=off"), (false, false));
        assert_eq!(both("no-xpti"), (false, false));
        assert_eq!(both("xpti=dom0=off"), (false, kind));
        assert_eq!(both("xpti=no-dom0,domu"), (false, true));
        assert_eq!(both("xpti=off xpti=default"), (kind, kind));
    }
}

#[test]
fn indirect_branches_are_kept_in_the_cheapest_way_that_is_safe() {
    let of = |facts: &Facts, line: &str| {
        let m = measures(facts, line);
        (m.ibrs, m.thunk)
    };
    assert_eq!(of(&haswell(), ""), (Ibrs::Off, Thunk::Retpoline));
    assert_eq!(of(&skylake(), ""), (Ibrs::OnExit, Thunk::Jmp));
    assert_eq!(of(&ice_lake(), ""), (Ibrs::Always, Thunk::Jmp));
    assert_eq!(of(&zen3(), ""), (Ibrs::Off, Thunk::Retpoline));
    let zen4 = Facts {
        auto_ibrs: true,
        ..zen3()
    };
    assert_eq!(of(&zen4, ""), (Ibrs::Automatic, Thunk::Jmp));
    // A hypervisor below us that says that returns may be predicted anywhere.
    let moved = Facts {
        arch_caps: RSBA,
        ..haswell()
    };
    assert_eq!(of(&moved, ""), (Ibrs::OnExit, Thunk::Jmp));
    // No microcode for IBRS: a retpoline is the best there is.
    let old = Facts {
        ibrsb: false,
        stibp: false,
        ..skylake()
    };
    assert_eq!(of(&old, ""), (Ibrs::Off, Thunk::Retpoline));
    assert_eq!(of(&old, "spec-ctrl=ibrs"), (Ibrs::Off, Thunk::Retpoline));
    assert_eq!(
        of(&ice_lake(), "spec-ctrl=no-ibrs"),
        (Ibrs::Off, Thunk::Retpoline)
    );
    assert_eq!(
        of(&zen3(), "spec-ctrl=bti-thunk=lfence"),
        (Ibrs::Off, Thunk::Lfence)
    );
    assert_eq!(of(&haswell(), "spec-ctrl=ibrs"), (Ibrs::OnExit, Thunk::Jmp));
}

#[test]
fn an_image_without_thunks_has_ibrs_do_what_it_can() {
    for facts in [haswell(), zen3()] {
        let plain = Facts {
            thunks: false,
            ..facts
        };
        assert_eq!(measures(&plain, "").ibrs, Ibrs::OnExit);
        assert_eq!(measures(&plain, "spec-ctrl=no-ibrs").ibrs, Ibrs::Off);
    }
}

#[test]
fn the_return_stack_is_filled_at_exits_only_without_smep() {
    let old = Facts {
        smep: false,
        ..haswell()
    };
    assert!(measures(&old, "").rsb_on_exit);
    let m = measures(&haswell(), "");
    assert!(!m.rsb_on_exit && m.rsb_on_switch);
    assert!(measures(&haswell(), "spec-ctrl=rsb").rsb_on_exit);
    assert!(!measures(&old, "spec-ctrl=no-rsb").rsb_on_exit);
}

#[test]
fn buffers_are_cleared_where_they_leak() {
    assert!(measures(&skylake(), "").verw);
    assert!(!measures(&ice_lake(), "").verw);
    assert!(!measures(&skylake(), "spec-ctrl=no-verw").verw);
    assert!(
        !measures(
            &Facts {
                md_clear: false,
                ..skylake()
            },
            ""
        )
        .verw
    );
    let transactions = Facts {
        rtm: true,
        arch_caps: RDCL_NO | MDS_NO,
        ..skylake()
    };
    assert!(measures(&transactions, "").verw);
    let files = Facts {
        arch_caps: RDCL_NO | MDS_NO | RFDS_CLEAR,
        ..skylake()
    };
    assert!(measures(&files, "").verw);
    assert!(!measures(&zen3(), "").verw);
    assert!(
        measures(
            &Facts {
                verw_clear: true,
                ..zen3()
            },
            ""
        )
        .verw
    );
    assert!(
        !measures(
            &Facts {
                verw_clear: true,
                tsa_no: true,
                ..zen3()
            },
            ""
        )
        .verw
    );
}

#[test]
fn nothing_is_done_when_told_so() {
    for facts in [skylake(), haswell(), ice_lake(), zen3()] {
        let m = measures(&facts, "spec-ctrl=no xpti=no");
        let thunk = Thunk::Jmp;
        let stibp = m.spec_ctrl;
        assert_eq!(
            m,
            Measures {
                thunk,
                ..Measures::default()
            },
            "{facts:?}"
        );
        assert_eq!(stibp, 0);
    }
}

#[test]
fn registers_are_only_written_where_they_exist() {
    let bare = Facts {
        vendor: Vendor::Intel,
        family: 6,
        model: 0x5e,
        ..Facts::default()
    };
    let m = measures(&bare, "spec-ctrl=ibrs,ibpb,ssbd,verw");
    assert_eq!(
        (m.ibrs, m.spec_ctrl, m.ibpb, m.verw),
        (Ibrs::Off, 0, false, false)
    );
}

#[test]
fn the_report_says_what_is_done() {
    let facts = skylake();
    let choice = choose(&facts, &Options::default());
    let text = lines(&facts, &choice);
    assert_eq!(
        text[2].to_string(),
        "  Hardware features: IBPB IBRS STIBP SSBD MD_CLEAR SMEP"
    );
    assert_eq!(
        text[4],
        "  Xen settings: BTI-Thunk: JMP, SPEC_CTRL: IBRS+ (on entry) STIBP- SSBD- BHI_DIS_S-, \
         Other: IBPB-ctxt RSB-ctxt VERW"
    );
    assert_eq!(
        text[5],
        "  XPTI (64-bit PV only): Dom0 enabled, DomU enabled (without PCID)"
    );
    let choice = choose(&zen3(), &parse("xpti=dom0").0);
    let plain = Facts {
        thunks: false,
        ..zen3()
    };
    let text = lines(&plain, &choice);
    assert_eq!(text[1], "  Hardware hints: STIBP_ALWAYS");
    assert!(text[4].contains("BTI-Thunk: none, SPEC_CTRL: IBRS- STIBP+"));
    assert_eq!(
        text[5],
        "  XPTI (64-bit PV only): Dom0 enabled, DomU disabled (without PCID)"
    );
}
