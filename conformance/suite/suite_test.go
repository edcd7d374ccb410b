// Package suite runs the upstream conformance suite of Gateway API, with what it leaves to who runs it filled in: all
// profiles of gateways, all features, who we are, and a list of what was run.
package suite

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	v1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

var results = flag.String("results", "", "The file where to list all tests with what became of them, and all features")

// profiles are those of gateways. Those of meshes are another program's.
var profiles = []suite.ConformanceProfile{
	suite.GatewayHTTPConformanceProfile,
	suite.GatewayGRPCConformanceProfile,
	suite.GatewayTLSConformanceProfile,
	suite.GatewayTCPConformanceProfile,
	suite.GatewayUDPConformanceProfile,
}

var mesh = features.SetsToNamesSet(features.MeshCoreFeatures, features.MeshExtendedFeatures)

// ours are the tests of gateways.
func ours() []suite.ConformanceTest {
	return slices.DeleteFunc(slices.Clone(tests.ConformanceTests), func(test suite.ConformanceTest) bool {
		return mesh.HasAny(test.Features...)
	})
}

func TestConformance(t *testing.T) {
	options := conformance.DefaultOptions(t)
	whole := options.RunTest == ""
	if len(options.ConformanceProfiles) == 0 {
		for _, profile := range profiles {
			options.ConformanceProfiles = append(options.ConformanceProfiles, profile.Name)
		}
	}
	claims := sets.New[features.FeatureName]()
	if whole {
		claims = claimed(t, options)
	}
	// Whoever names features tests these. Otherwise all that can be tested are, claimed or not; of those that no test is
	// about, the claimed ones: nothing else stands for them.
	if len(options.SupportedFeatures) == 0 && !options.EnableAllSupportedFeatures && len(options.ExemptFeatures) == 0 {
		options.SupportedFeatures = sets.List(tested().Union(claims))
	}
	list := listing{became: map[string]string{}, claims: claims}
	options.Hook = list.note
	t.Cleanup(func() {
		if !whole {
			return
		}
		list.check(t, options)
		if *results != "" {
			require.NoError(t, os.MkdirAll(filepath.Dir(*results), 0o755))
			require.NoError(t, os.WriteFile(*results, []byte(list.text()), 0o644))
		}
	})
	conformance.RunConformanceWithOptions(t, options)
}

// claimed is what the GatewayClass says that it can.
func claimed(t *testing.T, options suite.ConformanceOptions) sets.Set[features.FeatureName] {
	kubernetes.GWCMustHaveAcceptedConditionTrue(t, options.Client, options.TimeoutConfig, options.GatewayClassName)
	var class v1.GatewayClass
	require.NoError(t, options.Client.Get(t.Context(), types.NamespacedName{Name: options.GatewayClassName}, &class))
	claims := sets.New[features.FeatureName]()
	for _, feature := range class.Status.SupportedFeatures {
		claims.Insert(features.FeatureName(feature.Name))
	}
	return claims
}

// tested is every feature that a test of gateways is about.
func tested() sets.Set[features.FeatureName] {
	about := sets.New[features.FeatureName]()
	for _, test := range ours() {
		about.Insert(test.Features...)
	}
	return about
}

// listing is what became of each test. The suite reports numbers, and only of tests that a profile has.
type listing struct {
	lock   sync.Mutex
	became map[string]string
	claims sets.Set[features.FeatureName]
}

func (l *listing) note(t *testing.T, test suite.ConformanceTest, _ *suite.ConformanceTestSuite) {
	l.lock.Lock()
	defer l.lock.Unlock()
	switch {
	case t.Failed():
		l.became[test.ShortName] = "failed"
	case t.Skipped():
		l.became[test.ShortName] = "skipped"
	default:
		l.became[test.ShortName] = "passed"
	}
}

// check fails where the suite is content but we are not: a test of a gateway that was left out, a feature that has a test
// and is not claimed, a claim that the suite does not know.
func (l *listing) check(t *testing.T, options suite.ConformanceOptions) {
	var left []string
	for _, test := range ours() {
		wanted := sets.New(options.SupportedFeatures...).HasAll(test.Features...) || options.EnableAllSupportedFeatures
		if became := l.became[test.ShortName]; wanted && became != "passed" && became != "failed" {
			left = append(left, test.ShortName)
		}
	}
	if len(left) > 0 {
		t.Errorf("%d tests were not run: %s", len(left), strings.Join(left, ", "))
	}
	if missing := tested().Difference(l.claims); missing.Len() > 0 {
		t.Errorf("the GatewayClass does not claim features that there are tests of: %v", sets.List(missing))
	}
	if unknown := l.claims.Difference(features.SetsToNamesSet(features.AllFeatures)); unknown.Len() > 0 {
		t.Errorf("the GatewayClass claims features that the suite does not know: %v", sets.List(unknown))
	}
}

// of says which profiles have a test.
func of(test suite.ConformanceTest) []string {
	var names []string
	for _, profile := range profiles {
		if profile.CoreFeatures.HasAll(test.Features...) {
			names = append(names, string(profile.Name)+" core")
		} else if profile.CoreFeatures.Union(profile.ExtendedFeatures).HasAll(test.Features...) {
			names = append(names, string(profile.Name)+" extended")
		}
	}
	return names
}

func (l *listing) text() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	var out strings.Builder
	all := ours()
	slices.SortFunc(all, func(a, b suite.ConformanceTest) int { return strings.Compare(a.ShortName, b.ShortName) })
	count := map[string]int{}
	for _, test := range all {
		count[l.became[test.ShortName]]++
	}
	fmt.Fprintf(&out, "# Every test of gateways\n\n%d passed, %d failed, %d left out.\n\n", count["passed"], count["failed"], len(all)-count["passed"]-count["failed"])
	out.WriteString("| test | | profiles |\n|---|---|---|\n")
	for _, test := range all {
		in := strings.Join(of(test), ", ")
		if in == "" {
			in = "none: no report counts it"
		}
		became := l.became[test.ShortName]
		if became == "" {
			became = "not run"
		}
		if test.Provisional {
			became += ", provisional"
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", test.ShortName, became, in)
	}
	known := features.SetsToNamesSet(features.AllFeatures).Difference(mesh)
	about := tested()
	fmt.Fprintf(&out, "\n# Features without a test\n\n")
	for _, feature := range sets.List(known.Difference(about)) {
		claim := "not claimed"
		if l.claims.Has(feature) {
			claim = "claimed: our own tests stand for it"
		}
		fmt.Fprintf(&out, "- %s (%s): %s\n", feature, features.GetFeature(feature).Channel, claim)
	}
	return out.String()
}
