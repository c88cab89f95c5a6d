//! A cursor over untrusted bytes: every read is checked and names what it was reading.

use super::LoadError;

/// Reads forward through a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    part: &'static str,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `data`; `part` is the name used in errors.
    pub(super) fn new(data: &'a [u8], part: &'static str) -> Self {
        Self { rest: data, part }
    }

    /// Everything that was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the next `n` bytes.
    pub(super) fn bytes(&mut self, n: usize) -> Result<&'a [u8], LoadError> {
        let (head, tail) = self
            .rest
            .split_at_checked(n)
            .ok_or(LoadError::Truncated(self.part))?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes the next `N` bytes as an array.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let (head, tail) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(LoadError::Truncated(self.part))?;
        self.rest = tail;
        Ok(*head)
    }

    /// Takes one byte.
    pub(super) fn u8(&mut self) -> Result<u8, LoadError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Takes a big-endian 16-bit number.
    pub(super) fn be16(&mut self) -> Result<u16, LoadError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Takes a big-endian 32-bit number.
    pub(super) fn be32(&mut self) -> Result<u32, LoadError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Takes a little-endian 16-bit number.
    pub(super) fn le16(&mut self) -> Result<u16, LoadError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Takes a little-endian 32-bit number.
    pub(super) fn le32(&mut self) -> Result<u32, LoadError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Skips a string that ends with a zero byte.
    pub(super) fn skip_str(&mut self) -> Result<(), LoadError> {
        while self.u8()? != 0 {}
        Ok(())
    }
}
