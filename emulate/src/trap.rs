//! How an emulation ends.

/// The vectors of the exceptions that instructions here can cause.
pub mod vector {
    /// Debug.
    pub const DB: u8 = 1;
    /// Invalid opcode.
    pub const UD: u8 = 6;
    /// Device not available.
    pub const NM: u8 = 7;
    /// Stack fault.
    pub const SS: u8 = 12;
    /// General protection.
    pub const GP: u8 = 13;
    /// Page fault.
    pub const PF: u8 = 14;
}

/// An exception to deliver to the guest instead of the instruction's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The exception's vector.
    pub vector: u8,
    /// Its error code, for those that have one.
    pub error: Option<u32>,
    /// The faulting linear address; 0 but for page faults.
    pub cr2: u64,
}

impl Trap {
    /// General protection with error code 0.
    pub const GP: Self = Self {
        vector: vector::GP,
        error: Some(0),
        cr2: 0,
    };
    /// Stack fault with error code 0.
    pub const SS: Self = Self {
        vector: vector::SS,
        error: Some(0),
        cr2: 0,
    };
    /// Invalid opcode.
    pub const UD: Self = Self {
        vector: vector::UD,
        error: None,
        cr2: 0,
    };

    /// The trap of a read that is part of a write: a page fault says that it was a write.
    #[must_use]
    pub const fn of_write(mut self) -> Self {
        if let (vector::PF, Some(error)) = (self.vector, self.error) {
            self.error = Some(error | 2);
        }
        self
    }

    /// A page fault at `cr2` with the error code of the access.
    #[must_use]
    pub const fn page_fault(cr2: u64, error: u32) -> Self {
        Self {
            vector: vector::PF,
            error: Some(error),
            cr2,
        }
    }
}

/// How an emulation ended without a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The instruction was executed. Or part of a long one was, or another CPU was in the way:
    /// then the instruction pointer still stands on it and it will be met again.
    Done {
        /// The trap flag was set: a debug exception with DR6.BS is due.
        single_step: bool,
    },
    /// Not an instruction for this entry point; nothing changed.
    Unhandled,
}
