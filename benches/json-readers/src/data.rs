//! Lists of slices as text, as a cluster has them: what a controller wrote and an API server filled in.

/// How a list is spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// In the API server's order, without white space.
    Compact,
    /// The members of each object in an order of their own.
    Shuffled,
    /// With hints for a zone in each endpoint.
    Hints,
    /// With line breaks and two spaces for each level.
    Pretty,
}

impl Spelling {
    pub const ALL: [(Self, &str); 4] = [
        (Self::Compact, "compact, the API server's order"),
        (Self::Shuffled, "shuffled keys"),
        (Self::Hints, "with hints"),
        (Self::Pretty, "pretty-printed"),
    ];
}

/// An `EndpointSliceList`.
pub fn list(slices: u32, endpoints: u32, spelling: Spelling) -> Vec<u8> {
    let mut maker = Maker { spelling, state: 0x9e37_79b9_7f4a_7c15 };
    let items: Vec<String> = (0..slices).map(|number| maker.slice(number, endpoints)).collect();
    // The head stays at the front in any spelling: what comes first decides how a document is read.
    let text = format!(
        r#"{{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{{"resourceVersion":"7310452"}},"items":[{}]}}"#,
        items.join(",")
    );
    if spelling == Spelling::Pretty { pretty(&text) } else { text.into_bytes() }
}

struct Maker {
    spelling: Spelling,
    state: u64,
}

impl Maker {
    fn slice(&mut self, number: u32, endpoints: u32) -> String {
        let first = number * endpoints + 1;
        let items: Vec<String> = (first..first + endpoints).map(|number| self.endpoint(number)).collect();
        let port = self.object(vec![r#""name":"http""#.into(), r#""port":8080"#.into(), r#""protocol":"TCP""#.into()]);
        let metadata = self.metadata(number);
        self.object(vec![
            format!(r#""metadata":{metadata}"#),
            r#""addressType":"IPv4""#.into(),
            format!(r#""endpoints":[{}]"#, items.join(",")),
            format!(r#""ports":[{port}]"#),
        ])
    }

    fn metadata(&mut self, number: u32) -> String {
        let labels = self.object(vec![
            r#""app":"checkout""#.into(),
            r#""endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io""#.into(),
            r#""kubernetes.io/service-name":"checkout""#.into(),
        ]);
        let owner = r#"{"apiVersion":"v1","kind":"Service","name":"checkout","uid":"bb8de845-73a7-4cad-9da5-0967668b0919","controller":true,"blockOwnerDeletion":true}"#;
        let managed = r#"{"manager":"kube-controller-manager","operation":"Update","apiVersion":"discovery.k8s.io/v1","time":"2026-11-23T08:03:15Z","fieldsType":"FieldsV1","fieldsV1":{"f:addressType":{},"f:endpoints":{},"f:metadata":{"f:annotations":{".":{},"f:endpoints.kubernetes.io/last-change-trigger-time":{}},"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:kubernetes.io/service-name":{}}},"f:ports":{}}}"#;
        self.object(vec![
            format!(r#""name":"checkout-{number:05x}""#),
            r#""generateName":"checkout-""#.into(),
            r#""namespace":"shop""#.into(),
            format!(r#""uid":"0f1e7c44-5b1c-4d0e-8f7a-{number:012x}""#),
            format!(r#""resourceVersion":"{}""#, 7_000_000 + number),
            r#""generation":12"#.into(),
            r#""creationTimestamp":"2026-11-23T08:03:15Z""#.into(),
            format!(r#""labels":{labels}"#),
            r#""annotations":{"endpoints.kubernetes.io/last-change-trigger-time":"2026-11-23T08:04:02Z"}"#.into(),
            format!(r#""ownerReferences":[{owner}]"#),
            format!(r#""managedFields":[{managed}]"#),
        ])
    }

    fn endpoint(&mut self, number: u32) -> String {
        let ready = !number.is_multiple_of(50);
        let conditions = self.object(vec![
            format!(r#""ready":{ready}"#),
            format!(r#""serving":{ready}"#),
            format!(r#""terminating":{}"#, number % 500 == 100),
        ]);
        let target = self.object(vec![
            r#""kind":"Pod""#.into(),
            r#""namespace":"shop""#.into(),
            format!(r#""name":"checkout-7d9c5f6b8d-{number:05x}""#),
            format!(r#""uid":"76aab8c4-8e74-4648-8491-{number:012x}""#),
        ]);
        let zone = char::from(b"abc"[number as usize % 3]);
        let mut members = vec![
            format!(r#""addresses":["10.{}.{}.{}"]"#, number >> 16, number >> 8 & 255, number & 255),
            format!(r#""conditions":{conditions}"#),
            format!(r#""targetRef":{target}"#),
            format!(r#""nodeName":"ip-10-0-0-{}.eu-central-1.compute.internal""#, number * 7 % 300),
            format!(r#""zone":"eu-central-1{zone}""#),
        ];
        if self.spelling == Spelling::Hints {
            members.push(format!(r#""hints":{{"forZones":[{{"name":"eu-central-1{zone}"}}]}}"#));
        }
        self.object(members)
    }

    fn object(&mut self, mut members: Vec<String>) -> String {
        if self.spelling == Spelling::Shuffled {
            for last in (1..members.len()).rev() {
                let other = self.random() as usize % (last + 1);
                members.swap(last, other);
            }
        }
        format!("{{{}}}", members.join(","))
    }

    /// xorshift64*: the same list in each run.
    fn random(&mut self) -> u32 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
}

/// The same JSON with white space. Texts of `list` have no escapes.
fn pretty(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 3);
    let (mut level, mut quoted, mut before) = (0, false, b' ');
    let line = |out: &mut Vec<u8>, level: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * level, b' ');
    };
    for byte in text.bytes() {
        quoted ^= byte == b'"';
        if !quoted && matches!(byte, b'}' | b']') {
            level -= 1;
            if !matches!(before, b'{' | b'[') {
                line(&mut out, level);
            }
        } else if !quoted && byte != b'"' && matches!(before, b'{' | b'[')
            || byte == b'"' && quoted && matches!(before, b'{' | b'[')
        {
            line(&mut out, level);
        }
        out.push(byte);
        if !quoted {
            match byte {
                b'{' | b'[' => level += 1,
                b',' => line(&mut out, level),
                b':' => out.push(b' '),
                _ => {}
            }
        }
        // A bracket inside a text opens nothing.
        before = if quoted { b'"' } else { byte };
    }
    out
}
