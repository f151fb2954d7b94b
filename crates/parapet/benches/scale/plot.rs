//! Curves as SVG, in colours that can be told apart on light and on dark pages.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 46.0;
const COLOURS: [&str; 8] =
    ["#2f7ed8", "#d9730d", "#2e9e6b", "#b5489b", "#7a6ff0", "#8a8f98", "#c23b3b", "#1f9aa5"];

/// A named row of points.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// How an axis counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Logarithmic,
}

struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
        let most = values.clone().fold(f64::MIN, f64::max);
        match scale {
            Scale::Linear => {
                let step = nice(most.max(1e-9) / 5.0);
                Self { scale, from: 0.0, to: (most / step).ceil().max(1.0) * step }
            }
            Scale::Logarithmic => {
                let least = values.filter(|v| *v > 0.0).fold(f64::MAX, f64::min);
                let (from, to) = (least.log10().floor(), most.log10().ceil());
                Self { scale, from, to: if to > from { to } else { from + 1.0 } }
            }
        }
    }

    /// 0 at its beginning, 1 at its end.
    fn at(&self, value: f64) -> f64 {
        let value = if self.scale == Scale::Linear { value } else { value.max(1e-12).log10() };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = nice(self.to / 5.0);
                let count = (self.to / step).round() as i32;
                (0..=count).map(|n| f64::from(n) * step).collect()
            }
            Scale::Logarithmic => {
                (self.from as i32..=self.to as i32).map(|power| 10_f64.powi(power)).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= step * 0.999);
    times.unwrap_or(10.0) * power
}

fn number(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.0} million", v / 1e6),
        v if v >= 1e3 => format!("{},{:03.0}", (v / 1e3).floor(), v % 1e3),
        v if v >= 10.0 || v.fract().abs() < 1e-9 => format!("{v:.0}"),
        v if v >= 0.1 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}

/// A drawing of the lines; axes are named by what they count.
pub(crate) fn draw(
    title: &str,
    (across, x_scale): (&str, Scale),
    (up, y_scale): (&str, Scale),
    lines: &[Line],
) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = Axis::over(x_scale, points().map(|p| p.0));
    let y = Axis::over(y_scale, points().map(|p| p.1));
    let (inner_width, inner_height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let px = |value: f64| LEFT + x.at(value) * inner_width;
    let py = |value: f64| HEIGHT - BOTTOM - y.at(value) * inner_height;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#7d828c\">\n<title>{title}</title>\n\
         <text x=\"{LEFT}\" y=\"18\" font-size=\"14\" font-weight=\"600\">{title}</text>\n"
    );
    for tick in y.ticks() {
        let at = py(tick);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#7d828c\" stroke-opacity=\"0.25\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            number(tick)
        );
    }
    for tick in x.ticks() {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            px(tick),
            HEIGHT - BOTTOM + 18.0,
            number(tick)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{across}</text><text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{up}</text>",
        LEFT + inner_width / 2.0,
        HEIGHT - 8.0,
        TOP + inner_height / 2.0
    );
    for (n, line) in lines.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let path: Vec<String> =
            line.points.iter().map(|(a, b)| format!("{:.1} {:.1}", px(*a), py(*b))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        let (left, row) = (WIDTH - RIGHT + 14.0, TOP + 8.0 + 19.0 * n as f64);
        let _ = writeln!(
            out,
            "<path d=\"M{left} {row:.1}h18\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left + 25.0,
            row + 4.0,
            line.name
        );
    }
    out.push_str("</svg>\n");
    out
}
