package simulator

import (
	"bytes"
	"crypto/sha256"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
)

// Pictures have the size of a phone screen's thumbnail, in pixels.
const (
	pictureWidth  = 270
	pictureHeight = 480
)

// palette has colours that match in any combination.
var palette = []color.RGBA{
	{0x3d, 0x5a, 0xfe, 0xff}, {0x00, 0x96, 0x88, 0xff}, {0xe9, 0x1e, 0x63, 0xff}, {0xff, 0x8f, 0x00, 0xff},
	{0x67, 0x3a, 0xb7, 0xff}, {0x03, 0x9b, 0xe5, 0xff}, {0x43, 0xa0, 0x47, 0xff}, {0xf4, 0x51, 0x1e, 0xff},
}

var (
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink   = color.RGBA{0x1c, 0x1f, 0x26, 0xff}
	grey  = color.RGBA{0xd5, 0xda, 0xe3, 0xff}
)

func encodeJPEG(seed string) []byte {
	var encoded bytes.Buffer
	// Neither encoder fails on a picture of this size written to memory.
	_ = jpeg.Encode(&encoded, drawPhone(seed), &jpeg.Options{Quality: 85})
	return encoded.Bytes()
}

func encodePNG(seed string) []byte {
	var encoded bytes.Buffer
	_ = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&encoded, drawPhone(seed))
	return encoded.Bytes()
}

// drawPhone draws a phone that shows an app: a coloured header, a banner and a list of
// entries. The seed's hash determines colours, lengths and numbers.
func drawPhone(seed string) image.Image {
	hash := sha256.Sum256([]byte(seed))
	pick := func(i int) color.RGBA { return palette[int(hash[i])%len(palette)] }
	accent, second := pick(0), pick(1)

	c := canvas{image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))}
	c.backdrop(mix(second, white, 0.55), mix(accent, white, 0.85))
	c.fill(22, 18, 226, 444, 34, mix(ink, second, 0.4)) // the phone's shadowed edge
	c.fill(24, 20, 222, 440, 32, ink)
	c.fill(32, 28, 206, 424, 25, color.RGBA{0xf6, 0xf7, 0xfb, 0xff})

	c.fill(32, 28, 206, 66, 25, accent) // the header, square at its lower edge
	c.fill(32, 60, 206, 34, 0, accent)
	c.fill(100, 34, 70, 15, 7.5, ink) // the camera's notch
	c.fill(46, 66, 60+float64(hash[2]%70), 12, 6, white)
	c.fill(208, 62, 18, 18, 9, mix(accent, white, 0.6))

	banner := mix(second, white, 0.25)
	c.fill(44, 106, 182, 78, 14, banner)
	for i := range 3 { // discs of different sizes
		radius := 14 + float64(hash[3+i]%18)
		x := 70 + 62*float64(i)
		c.fill(x-radius, 145-radius, 2*radius, 2*radius, radius, mix(pick(6+i), white, 0.15*float64(i)))
	}

	entries := 3 + int(hash[9]%2)
	for i := range entries {
		y := 196 + 48*float64(i)
		c.fill(44, y, 182, 40, 10, white)
		c.fill(52, y+7, 26, 26, 13, pick(10+i))
		c.fill(88, y+10, 50+float64(hash[16+i]%80), 7, 3.5, mix(ink, white, 0.35))
		c.fill(88, y+24, 30+float64(hash[22+i]%90), 6, 3, grey)
	}
	c.fill(84, 404, 102, 26, 13, accent)
	c.fill(108, 414, 54, 6, 3, white)
	c.fill(100, 440, 70, 4, 2, grey) // the home bar
	return c.RGBA
}

type canvas struct{ *image.RGBA }

// backdrop fills the picture with a vertical gradient.
func (c canvas) backdrop(top, bottom color.RGBA) {
	for y := range pictureHeight {
		copy(c.Pix[c.PixOffset(0, y):], line(mix(top, bottom, float64(y)/pictureHeight)))
	}
}

// fill paints a rectangle with rounded corners and smooth edges. All units are pixels.
func (c canvas) fill(x, y, width, height, radius float64, paint color.RGBA) {
	centreX, centreY := x+width/2, y+height/2
	painted := line(paint)
	for row := int(y); row < int(y+height)+1; row++ {
		for column := int(x); column < int(x+width)+1; column++ {
			// The signed distance of the pixel's centre from the edge, negative inside. The
			// edge is smoothed over half a pixel on either side.
			dx := math.Abs(float64(column)+0.5-centreX) - width/2 + radius
			dy := math.Abs(float64(row)+0.5-centreY) - height/2 + radius
			cornerX, cornerY := max(dx, 0), max(dy, 0)
			distance := math.Sqrt(float64(cornerX*cornerX)+float64(cornerY*cornerY)) + min(max(dx, dy), 0) - radius
			switch cover := 0.5 - distance; {
			case cover >= 1: // and so is everything up to the pixel's mirror image
				mirror := max(int(2*centreX)-1-column, column)
				copy(c.Pix[c.PixOffset(column, row):c.PixOffset(mirror+1, row)], painted)
				column = mirror
			case cover > 0:
				c.SetRGBA(column, row, mix(c.RGBAAt(column, row), paint, cover))
			}
		}
	}
}

// line returns one row of the picture in one colour.
func line(paint color.RGBA) []byte {
	return bytes.Repeat([]byte{paint.R, paint.G, paint.B, paint.A}, pictureWidth)
}

// mix interpolates between two colours. The explicit conversions of the products keep
// compilers from fusing them with the sum, so that every architecture draws the same
// picture.
func mix(from, to color.RGBA, share float64) color.RGBA {
	blend := func(a, b uint8) uint8 { return uint8(float64(a) + float64(share*(float64(b)-float64(a))) + 0.5) }
	return color.RGBA{blend(from.R, to.R), blend(from.G, to.G), blend(from.B, to.B), 0xff}
}
