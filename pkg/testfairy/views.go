package testfairy

import (
	"strconv"
	"strings"
)

// App is what every documented payload says about the app and its build. A
// field that was missing, null or of a wrong type is zero.
type App struct {
	// Timestamp looks like "2015-07-01 17:21:00". Its time zone is not
	// documented, so it is not read as a time.
	Timestamp string
	// Name is the app's name: the payload's appName.
	Name string
	// Version is the version that users see, such as "1.0".
	Version string
	// Build is the build number as it came: a label, not a quantity.
	Build string
	// FileSize is the size of the app's file in bytes.
	FileSize int64
	// IconURL is where the app's icon can be fetched.
	IconURL string
}

// Feedback is the typed view of a feedback. As in App, what was not there is
// zero.
type Feedback struct {
	App
	// BuildURL is the build's page at TestFairy.
	BuildURL string
	// SessionURL is the session's page; SessionIDs takes it apart.
	SessionURL string
	// ScreenshotURL is where the picture the tester sent can be fetched.
	ScreenshotURL string
	// CorrelationID is what the app told the SDK to identify its user by.
	CorrelationID string
	// Email is the tester's address.
	Email string
	// RawDeviceName is the device as it names itself.
	RawDeviceName string
	// IPAddress is the device's.
	IPAddress string
	// Text is what the tester wrote, often in several lines.
	Text string
}

// Crash is the typed view of a crash. As in App, what was not there is zero.
type Crash struct {
	App
	// BuildURL is the build's page at TestFairy.
	BuildURL string
	// Email is the tester's address.
	Email string
	// DeviceName is the device as it is sold.
	DeviceName string
	// RawDeviceName is the device as it names itself.
	RawDeviceName string
	// Message is the payload's crashMessage, such as an exception's class.
	Message string
	// IPAddress is the device's.
	IPAddress string
}

// Feedback returns the event as a feedback, whatever its kind.
func (e Event) Feedback() Feedback {
	return Feedback{
		App:           e.app(),
		BuildURL:      e.Text("buildUrl"),
		SessionURL:    e.Text("sessionUrl"),
		ScreenshotURL: e.Text("screenshotUrl"),
		CorrelationID: e.Text("correlationId"),
		Email:         e.Text("email"),
		RawDeviceName: e.Text("rawDeviceName"),
		IPAddress:     e.Text("ipAddress"),
		Text:          e.Text("text"),
	}
}

// Crash returns the event as a crash, whatever its kind.
func (e Event) Crash() Crash {
	return Crash{
		App:           e.app(),
		BuildURL:      e.Text("buildUrl"),
		Email:         e.Text("email"),
		DeviceName:    e.Text("deviceName"),
		RawDeviceName: e.Text("rawDeviceName"),
		Message:       e.Text("crashMessage"),
		IPAddress:     e.Text("ipAddress"),
	}
}

func (e Event) app() App {
	// A size that is no whole number of bytes says nothing: it counts as missing.
	size, err := strconv.ParseInt(strings.TrimSpace(e.Text("filesize")), 10, 64)
	if err != nil {
		size = 0
	}
	return App{
		Timestamp: e.Text("timestamp"),
		Name:      e.Text("appName"),
		Version:   e.Text("version"),
		Build:     e.Text("build"),
		FileSize:  size,
		IconURL:   e.Text("iconUrl"),
	}
}
