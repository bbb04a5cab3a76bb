//! Ways that something was in messages before, of which the next one is likely to be one.

/// A part of a message.
pub(super) trait Way {
    /// Where it ends if it begins at a place of a message that ends at `end`.
    fn end(&self, bytes: &[u8], at: usize, end: usize) -> Option<usize>;
}

/// Ways that something was, and the one that came after each.
pub(super) struct Ways<T> {
    known: Vec<(T, usize)>,
    last: usize,
    expected: usize,
    oldest: usize,
}

/// Most ways to remember.
const MOST: usize = 8;

impl<T> Default for Ways<T> {
    fn default() -> Self {
        Self { known: Vec::new(), last: 0, expected: 0, oldest: 0 }
    }
}

impl<T: Way> Ways<T> {
    #[inline]
    pub(super) fn get(&self, which: usize) -> Option<&T> {
        self.known.get(which).map(|(way, _)| way)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, which: usize) -> Option<&mut T> {
        self.known.get_mut(which).map(|(way, _)| way)
    }

    /// Which of the ways it is that begins at a place of a message, and where that ends. Zones come by turns, where Pods are spread.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    pub(super) fn find(&mut self, bytes: &[u8], at: usize, end: usize) -> Option<(usize, usize)> {
        let expected = self.known.get(self.expected);
        let end = match expected.and_then(|(way, _)| way.end(bytes, at, end)) {
            None => self.find_other(bytes, at, end)?,
            Some(end) => end,
        };
        self.last = self.expected;
        self.expected = self.known.get(self.last)?.1;
        Some((self.last, end))
    }

    /// The same where it is another than the one that is expected; then that one is.
    #[inline(never)]
    fn find_other(&mut self, bytes: &[u8], at: usize, end: usize) -> Option<usize> {
        let mut ends = (0..).zip(&self.known).map(|(which, (way, _))| Some((which, way.end(bytes, at, end)?)));
        let (which, end) = ends.find_map(|found| found)?;
        self.expect(which);
        Some(end)
    }

    /// The last one has another after it than before.
    fn expect(&mut self, which: usize) {
        if let Some((_, next)) = self.known.get_mut(self.last) {
            *next = which;
        }
        self.expected = which;
    }

    /// Remember a way in the place of the one that it is like, or else of the oldest.
    pub(super) fn learn(&mut self, way: T, is_like: impl Fn(&T, &T) -> bool) {
        let like = self.known.iter().position(|(known, _)| is_like(known, &way));
        let which = like.unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % MOST;
            if self.known.len() < MOST { self.known.len() } else { self.oldest }
        });
        match self.known.get_mut(which) {
            Some((known, _)) => *known = way,
            None => self.known.push((way, which)),
        }
        self.expect(which);
        (self.last, self.expected) = (which, self.known[which].1);
    }
}
