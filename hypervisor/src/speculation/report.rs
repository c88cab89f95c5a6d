//! The lines about speculation in the boot log, in the form of Xen's.

use super::choice::Choice;
use super::facts::{Facts, caps};
use crate::hv::Hypervisor;
use crate::log;
use alloc::string::String;
use machine::measures::{Ibrs, Thunk};

/// Prints what the processor has and what is done.
pub fn print(hv: &Hypervisor, facts: &Facts, choice: &Choice) {
    for line in lines(facts, choice) {
        log!(hv, Info, "{line}");
    }
}

fn list(words: &[(bool, &str)]) -> String {
    let mut text = String::new();
    for (_, word) in words.iter().filter(|(on, _)| *on) {
        text.push(' ');
        text.push_str(word);
    }
    if text.is_empty() {
        text.push_str(" none");
    }
    text
}

/// The lines.
pub(super) fn lines(facts: &Facts, choice: &Choice) -> [String; 6] {
    let m = &choice.measures;
    let hints = [
        (facts.cap(caps::RDCL_NO), "RDCL_NO"),
        (facts.cap(caps::IBRS_ALL), "EIBRS"),
        (facts.cap(caps::RSBA), "RSBA"),
        (facts.cap(caps::RRSBA), "RRSBA"),
        (facts.cap(caps::MDS_NO), "MDS_NO"),
        (facts.cap(caps::TAA_NO), "TAA_NO"),
        (facts.cap(caps::RFDS_NO), "RFDS_NO"),
        (facts.tsa_no, "TSA_NO"),
        (facts.stibp_always, "STIBP_ALWAYS"),
        (facts.lfence_dispatch, "LFENCE/DISPATCH"),
    ];
    let features = [
        (facts.ibrsb || facts.ibpb, "IBPB"),
        (facts.ibrsb || facts.ibrs, "IBRS"),
        (facts.stibp, "STIBP"),
        (facts.ssbd, "SSBD"),
        (facts.md_clear, "MD_CLEAR"),
        (facts.cap(caps::FB_CLEAR), "FB_CLEAR"),
        (facts.cap(caps::RFDS_CLEAR), "RFDS_CLEAR"),
        (facts.verw_clear, "VERW_CLEAR"),
        (facts.auto_ibrs, "AUTO_IBRS"),
        (facts.bhi_ctrl, "BHI_CTRL"),
        (facts.smep, "SMEP"),
    ];
    let thunk = match m.thunk {
        _ if !facts.thunks => "none",
        Thunk::Retpoline => "RETPOLINE",
        Thunk::Lfence => "LFENCE",
        Thunk::Jmp => "JMP",
    };
    let ibrs = match m.ibrs {
        Ibrs::Off => "IBRS-",
        Ibrs::OnExit => "IBRS+ (on entry)",
        Ibrs::Always => "IBRS+ (enhanced)",
        Ibrs::Automatic => "IBRS+ (automatic)",
    };
    let sign = |on: bool| if on { '+' } else { '-' };
    let other = [
        (m.ibpb, "IBPB-ctxt"),
        (m.rsb_on_switch, "RSB-ctxt"),
        (m.rsb_on_exit, "RSB-entry"),
        (m.verw, "VERW"),
    ];
    let state = |on: bool| if on { "enabled" } else { "disabled" };
    [
        String::from("Speculative mitigation facilities:"),
        alloc::format!("  Hardware hints:{}", list(&hints)),
        alloc::format!("  Hardware features:{}", list(&features)),
        alloc::format!(
            "  Compiled-in support:{}",
            list(&[(facts.thunks, "INDIRECT_THUNK")])
        ),
        alloc::format!(
            "  Xen settings: BTI-Thunk: {thunk}, SPEC_CTRL: {ibrs} STIBP{} SSBD{} BHI_DIS_S{}, \
             Other:{}",
            sign(choice.stibp),
            sign(choice.ssbd),
            sign(choice.bhi_dis_s),
            list(&other)
        ),
        alloc::format!(
            "  XPTI (64-bit PV only): Dom0 {}, DomU {} (without PCID)",
            state(m.xpti_control),
            state(m.xpti_others)
        ),
    ]
}
