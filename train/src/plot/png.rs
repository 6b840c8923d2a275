//! Pictures as PNG.

use super::font::{Stroke, outlines, width};
use super::picture::{Area, Mark};
use super::{Colour, Picture, PlotError};
use tiny_skia::{
    Color, FillRule, FilterQuality, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PixmapPaint, Rect, StrokeDash,
    Transform,
};

/// The most pixels of a picture: 400 MB of memory.
const MOST_PIXELS: f64 = 1e8;

pub fn render(picture: &Picture, scale: f64) -> Result<Vec<u8>, PlotError> {
    let (width, height) = ((picture.width * scale).round(), (picture.height * scale).round());
    let too_large = || PlotError::TooLarge { width: width as u64, height: height as u64 };
    if !(width >= 1.0 && height >= 1.0 && width * height <= MOST_PIXELS) {
        return Err(too_large());
    }
    let mut canvas = Pixmap::new(width as u32, height as u32).ok_or_else(too_large)?;
    canvas.fill(Color::WHITE);
    let transform = Transform::from_scale(scale as f32, scale as f32);
    for mark in &picture.marks {
        // Marks that have no area are not painted.
        let _ = paint(&mut canvas, mark, transform);
    }
    canvas.encode_png().map_err(|error| PlotError::Png(error.to_string()))
}

fn paint(canvas: &mut Pixmap, mark: &Mark, transform: Transform) -> Option<()> {
    match mark {
        Mark::Rect { area, fill } => canvas.fill_rect(rect(area)?, &paint_of(*fill), transform, None),
        Mark::Line { points, colour, width, dashed } => {
            let stroke = tiny_skia::Stroke {
                width: *width as f32,
                line_cap: LineCap::Butt,
                line_join: LineJoin::Round,
                dash: if *dashed { StrokeDash::new(vec![5.0, 3.0], 0.0) } else { None },
                ..Default::default()
            };
            canvas.stroke_path(&polyline(points)?, &paint_of(*colour), &stroke, transform, None);
        }
        Mark::Dot { at: [x, y], radius, colour } => {
            let circle = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32)?;
            canvas.fill_path(&circle, &paint_of(*colour), FillRule::Winding, transform, None);
        }
        Mark::Text { at: [x, y], text, size, anchor, turn, colour } => {
            let before = anchor.part() * width(text, *size);
            let transform = transform
                .pre_translate(*x as f32, *y as f32)
                .pre_rotate(turn.degrees() as f32)
                .pre_translate(-before as f32, 0.0);
            canvas.fill_path(&letters(text, *size)?, &paint_of(*colour), FillRule::Winding, transform, None);
        }
        Mark::Image { area, columns, pixels } => {
            let image = image(*columns, pixels)?;
            let stretch = [area.width as f32 / image.width() as f32, area.height as f32 / image.height() as f32];
            let enlarged = stretch[0] * transform.sx >= 1.0;
            let quality = if enlarged { FilterQuality::Nearest } else { FilterQuality::Bilinear };
            let transform = transform.pre_translate(area.x as f32, area.y as f32).pre_scale(stretch[0], stretch[1]);
            canvas.draw_pixmap(0, 0, image.as_ref(), &PixmapPaint { quality, ..Default::default() }, transform, None);
        }
    }
    Some(())
}

fn rect(area: &Area) -> Option<Rect> {
    Rect::from_xywh(area.x as f32, area.y as f32, area.width as f32, area.height as f32)
}

fn polyline(points: &[[f64; 2]]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, [x, y]) in points.iter().enumerate() {
        if index == 0 { path.move_to(*x as f32, *y as f32) } else { path.line_to(*x as f32, *y as f32) }
    }
    path.finish()
}

fn letters(text: &str, size: f64) -> Option<Path> {
    let mut path = PathBuilder::new();
    for stroke in outlines(text, size) {
        match stroke {
            Stroke::Move([x, y]) => path.move_to(x, y),
            Stroke::Line([x, y]) => path.line_to(x, y),
            Stroke::Quad([a, b], [x, y]) => path.quad_to(a, b, x, y),
            Stroke::Cubic([a, b], [c, d], [x, y]) => path.cubic_to(a, b, c, d, x, y),
        }
    }
    path.finish()
}

fn paint_of(Colour(red, green, blue): Colour) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Default::default() };
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

fn image(columns: usize, pixels: &[Colour]) -> Option<Pixmap> {
    let rows = pixels.len().checked_div(columns)?;
    let mut image = Pixmap::new(columns.try_into().ok()?, rows.try_into().ok()?)?;
    for (pixel, Colour(red, green, blue)) in image.data_mut().chunks_exact_mut(4).zip(pixels) {
        pixel.copy_from_slice(&[*red, *green, *blue, 255]);
    }
    Some(image)
}

/// Pixels as a PNG file.
pub fn tile(columns: usize, pixels: &[Colour]) -> Option<Vec<u8>> {
    image(columns, pixels)?.encode_png().ok()
}
