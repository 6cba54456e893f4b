package bridge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// simulator stands in for Centercode and TestFairy's file hosts on this machine, to try the
// bridge and for the demo.
type simulator struct {
	url        string
	centercode *centercodesim.Simulator
	testfairy  *testfairysim.Server
	server     *http.Server
	listener   net.Listener
}

const simulatorKey = "key-of-the-simulator"

const simulatedFiles = "/testfairy"

// simulatedHosts are the hosts in TestFairy's payloads, and those of its REST API.
var simulatedHosts = []string{
	"app.testfairy.com", "my.testfairy.com", "testfairy.s3.amazonaws.com",
	"api.testfairy.com", "mobile.saucelabs.com", "mobile.eu-central-1.saucelabs.com",
}

func startSimulator(ctx context.Context, c Config) (*simulator, error) {
	center, err := centercodesim.New(centercodesim.Config{
		APIKeys: []string{simulatorKey}, Dir: filepath.Join(c.Folder, "simulator"), FileElements: c.Mapping.FileElements(),
	})
	if err != nil {
		return nil, err
	}
	sim := &simulator{centercode: center, testfairy: testfairysim.New(testfairysim.Config{})}
	if sim.listener, err = listen(ctx, c.Simulator); err != nil {
		return nil, &ListenError{For: ForSimulator, Err: err}
	}
	sim.url = "http://" + sim.listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/", center.Handler())
	mux.Handle(simulatedFiles+"/", http.StripPrefix(simulatedFiles, sim.testfairy.Handler()))
	sim.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		// It returns ErrServerClosed; any other failure is noticed by the bridge at once.
		_ = sim.server.Serve(sim.listener)
	}()
	return sim, nil
}

// resolve redirects the requests for TestFairy's files to the simulator.
func (s *simulator) resolve() map[string]string {
	m := map[string]string{}
	for _, host := range simulatedHosts {
		m[host] = s.url + simulatedFiles
	}
	return m
}

func (s *simulator) close() error {
	return errors.Join(s.server.Close(), s.centercode.Close())
}

type simulatorSecrets struct{}

func (simulatorSecrets) Get(context.Context, string) (string, error) { return simulatorKey, nil }
func (simulatorSecrets) Fresh(context.Context, string, time.Duration) (string, error) {
	return simulatorKey, nil
}
