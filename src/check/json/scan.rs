//! A scanner of JSON texts (RFC 8259). It builds no values, and its memory is a byte per open array or object.

/// The offset of the first byte that is not JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) usize);

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    /// The next byte, which may be white space.
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte after white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, is_expected: impl Fn(u8) -> bool) -> Result<(), Malformed> {
        match self.byte() {
            Some(byte) if is_expected(byte) => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Malformed(self.at)),
        }
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_some() { Err(Malformed(self.at)) } else { Ok(()) }
    }

    /// Skips a value and returns its text.
    pub(super) fn value(&mut self) -> Result<&'a str, Malformed> {
        self.peek();
        let start = self.at;
        let mut closers = Vec::new();
        loop {
            match self.peek() {
                Some(opener @ (b'{' | b'[')) => {
                    if self.open()? {
                        closers.push(opener + 2);
                        continue;
                    }
                }
                Some(b'"') => drop(self.string()?),
                Some(b'-' | b'0'..=b'9') => self.number()?,
                _ => self.literal()?,
            }
            loop {
                let Some(closer) = closers.last() else { return Ok(&self.text[start..self.at]) };
                if self.next(*closer)? {
                    break;
                }
                closers.pop();
            }
        }
    }

    /// Enters an array or object; in an object, goes on to the value of the first member. Returns `false` if it is
    /// empty, and then leaves it.
    fn open(&mut self) -> Result<bool, Malformed> {
        let closer = self.byte().unwrap_or_default() + 2;
        self.at += 1;
        if self.peek() == Some(closer) {
            self.at += 1;
            return Ok(false);
        }
        if closer == b'}' {
            self.name()?;
        }
        Ok(true)
    }

    /// Goes on to the next value; returns `false` if there is none, and then leaves the array or object.
    fn next(&mut self, closer: u8) -> Result<bool, Malformed> {
        match self.peek() {
            Some(b',') => self.at += 1,
            Some(byte) if byte == closer => {
                self.at += 1;
                return Ok(false);
            }
            _ => return Err(Malformed(self.at)),
        }
        if closer == b'}' {
            self.name()?;
        }
        Ok(true)
    }

    /// Calls `visit` at the value of each member of an array or object, with the text of its name, which is empty in
    /// an array. `visit` must read the value.
    pub(super) fn members(
        &mut self,
        visit: &mut dyn FnMut(&mut Scanner<'a>, &'a str) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let is_object = self.peek() == Some(b'{');
        let closer = if is_object { b'}' } else { b']' };
        self.at += 1;
        if self.peek() == Some(closer) {
            self.at += 1;
            return Ok(());
        }
        loop {
            let name = if is_object { self.name()? } else { "" };
            visit(self, name)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == closer => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Malformed(self.at)),
            }
        }
    }

    /// The text of a name, with its quotes; the colon after it is skipped.
    fn name(&mut self) -> Result<&'a str, Malformed> {
        self.peek();
        let name = self.string()?;
        self.peek();
        self.take(|byte| byte == b':')?;
        Ok(name)
    }

    fn string(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        self.take(|byte| byte == b'"')?;
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at]);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let is_hexadecimal = self.byte() == Some(b'u');
                    self.take(|byte| b"\"\\/bfnrtu".contains(&byte))?;
                    for _ in 0..if is_hexadecimal { 4 } else { 0 } {
                        self.take(|byte| byte.is_ascii_hexdigit())?;
                    }
                }
                Some(b' '..) => self.at += 1,
                _ => return Err(Malformed(self.at)),
            }
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        self.take(|byte| byte.is_ascii_digit())?;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self) -> Result<(), Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let literal = ["null", "true", "false"].into_iter().find(|literal| rest.starts_with(literal));
        self.at += literal.ok_or(Malformed(self.at))?.len();
        Ok(())
    }
}

/// The content of a JSON string; `None` for other values and for half of a surrogate pair.
pub(super) fn text_of(json: &str) -> Option<String> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(rest.len());
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let (letter, after) = escape.split_at_checked(1)?;
        rest = after;
        text.push(match letter {
            "b" => '\u{8}',
            "f" => '\u{c}',
            "n" => '\n',
            "r" => '\r',
            "t" => '\t',
            "u" => {
                let first = unit(&mut rest)?;
                match char::from_u32(first) {
                    Some(c) => c,
                    None => {
                        rest = rest.strip_prefix("\\u")?;
                        let units = [first as u16, unit(&mut rest)? as u16];
                        char::decode_utf16(units).next()?.ok()?
                    }
                }
            }
            other => other.chars().next()?,
        });
    }
    text.push_str(rest);
    Some(text)
}

/// Takes the four digits of an escaped code unit.
fn unit(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u32::from_str_radix(digits, 16).ok()
}
