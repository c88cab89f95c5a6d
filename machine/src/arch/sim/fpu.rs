//! FPU and extended state of a vCPU, as the bytes of an XSAVE image.

use alloc::boxed::Box;

/// Bytes of an image.
const BYTES: usize = 4096;

/// The image of one vCPU.
#[derive(Clone)]
pub struct Fpu {
    image: Box<[u8; BYTES]>,
    /// XCR0 of its owner.
    pub xcr0: u64,
}

impl Fpu {
    /// The state after reset: FCW 0x37f, MXCSR 0x1f80. `None` when memory runs out (never).
    pub fn new() -> Option<Fpu> {
        let mut image = Box::new([0; BYTES]);
        image[0..2].copy_from_slice(&0x37fu16.to_le_bytes());
        image[24..28].copy_from_slice(&0x1f80u32.to_le_bytes());
        Some(Fpu { image, xcr0: 1 })
    }

    /// The image: 512 bytes of FXSAVE, the XSAVE header, extended components.
    pub fn bytes(&self) -> &[u8] {
        &self.image[..]
    }

    /// The image, to change.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.image[..]
    }
}
