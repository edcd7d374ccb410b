// Package addresses gives Services of type LoadBalancer addresses from a pool, as the load balancer of a cloud would.
// kube-proxy takes what arrives for them. A Service may ask for one with spec.loadBalancerIP; what cannot be given is
// said in an Event of the Service, and it stays without an address.
package addresses

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
)

// NewCommand is `addresses --kubeconfig FILE --pool CIDR`.
func NewCommand() *cobra.Command {
	var kubeconfig, cidr string
	command := &cobra.Command{
		Use:          "addresses",
		Short:        "Give Services of type LoadBalancer addresses from a pool",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			prefix, err := netip.ParsePrefix(cidr)
			if err != nil {
				return fmt.Errorf("--pool: %w", err)
			}
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return fmt.Errorf("--kubeconfig: %w", err)
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			return run(command.Context(), client, newPool(prefix))
		},
	}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	command.Flags().StringVar(&cidr, "pool", "", "the addresses to give, as a CIDR")
	return command
}

// giver holds what the loop below needs. One goroutine runs it: two Services can never be given the same address.
type giver struct {
	client kubernetes.Interface
	events record.EventRecorder
	lister listers.ServiceLister
	pool   *pool
	// What was said to whom, so that it is said once.
	said map[owner]string
}

func run(ctx context.Context, client kubernetes.Interface, pool *pool) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	services := factory.Core().V1().Services()
	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default: // There is a note already.
		}
	}
	_, err := services.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { note() },
		UpdateFunc: func(any, any) { note() },
		DeleteFunc: func(any) { note() },
	})
	if err != nil {
		return err
	}
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typed.EventSinkImpl{Interface: client.CoreV1().Events("")})
	defer broadcaster.Shutdown()
	g := giver{
		client: client,
		events: broadcaster.NewRecorder(scheme.Scheme, core.EventSource{Component: "addresses"}),
		lister: services.Lister(),
		pool:   pool,
		said:   map[owner]string{},
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	log.Printf("giving addresses from %s", pool.prefix)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			if !g.pass(ctx) {
				// A write failed, or a wish waits for an address that may come free.
				time.AfterFunc(time.Second, note)
			}
		}
	}
}

// pass looks at all Services once: first what they have, so that nothing is given twice, then what they lack.
func (g *giver) pass(ctx context.Context) bool {
	all, err := g.lister.List(labels.Everything())
	if err != nil {
		log.Printf("list: %v", err)
		return false
	}
	there := map[owner]bool{}
	for _, service := range all {
		who := owner{service.Namespace, service.Name}
		if service.Spec.Type != core.ServiceTypeLoadBalancer || service.DeletionTimestamp != nil {
			continue
		}
		there[who] = true
		if address, has := current(service); has && g.pool.of[who] != address {
			if _, taken := g.pool.taken[address]; !taken && g.pool.usable(address) {
				g.pool.keep(who, address)
			}
		}
	}
	for who := range g.pool.of {
		if !there[who] {
			g.pool.release(who)
			delete(g.said, who)
		}
	}
	complete := true
	for _, service := range all {
		if there[owner{service.Namespace, service.Name}] && !g.serve(ctx, service) {
			complete = false
		}
	}
	return complete
}

func current(service *core.Service) (netip.Addr, bool) {
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		if address, err := netip.ParseAddr(ingress.IP); err == nil {
			return address, true
		}
	}
	return netip.Addr{}, false
}

// serve gives one Service its address, and writes nothing where it has it.
func (g *giver) serve(ctx context.Context, service *core.Service) bool {
	who := owner{service.Namespace, service.Name}
	address, err := g.pool.give(who, service.Spec.LoadBalancerIP)
	if err != nil {
		if g.said[who] != err.Error() {
			g.said[who] = err.Error()
			log.Printf("%s/%s: %v", who.namespace, who.name, err)
			g.events.Event(service, core.EventTypeWarning, "NoAddress", err.Error())
		}
		return false
	}
	delete(g.said, who)
	if has, ok := current(service); ok && has == address {
		return true
	}
	patch := fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":%q,"ipMode":"VIP"}]}}}`, address)
	_, err = g.client.CoreV1().Services(who.namespace).Patch(
		ctx, who.name, types.MergePatchType, []byte(patch), meta.PatchOptions{FieldManager: "addresses"}, "status")
	if err != nil {
		log.Printf("%s/%s: %v", who.namespace, who.name, err)
		return false
	}
	log.Printf("%s/%s: %s", who.namespace, who.name, address)
	return true
}
