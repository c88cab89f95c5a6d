//! Measures against speculative execution: what the policy chose, for the machine to carry out.
//!
//! Plain data. The choice, from CPUID and the command line, is the policy's.

/// How the hypervisor's indirect branches are made, if it was built with thunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thunk {
    /// As retpolines: their target is never predicted.
    #[default]
    Retpoline,
    /// After an LFENCE, which is enough where it is dispatch-serialising (AMD).
    Lfence,
    /// Plainly.
    Jmp,
}

/// When indirect branch restricted speculation is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ibrs {
    /// Never.
    #[default]
    Off,
    /// Switched on at each exit from a guest and off before each entry.
    OnExit,
    /// Always: the processor keeps the predictions of rings apart by itself.
    Always,
    /// The same by AMD's automatic IBRS, a bit of EFER.
    Automatic,
}

/// Everything that the machine does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// The control domain runs without the hypervisor's memory mapped.
    pub xpti_control: bool,
    /// So do the other domains.
    pub xpti_others: bool,
    /// Indirect branches.
    pub thunk: Thunk,
    /// Restricted speculation of indirect branches.
    pub ibrs: Ibrs,
    /// Bits for SPEC_CTRL besides IBRS, the same for the hypervisor and its guests.
    pub spec_ctrl: u64,
    /// A branch prediction barrier before another vCPU runs.
    pub ibpb: bool,
    /// Filling the return stack buffer at each exit from a guest.
    pub rsb_on_exit: bool,
    /// Filling it before another vCPU runs.
    pub rsb_on_switch: bool,
    /// Clearing buffers with VERW before each entry to a guest.
    pub verw: bool,
}

impl Measures {
    /// Whether any domain runs on root tables of the machine's making.
    pub fn xpti(&self) -> bool {
        self.xpti_control || self.xpti_others
    }
}
