package scenario

import (
	"context"
	"fmt"

	"lychgate.dev/bench/cluster/world"
)

// policy lets the cart ask for the origin, by its name at its address, and for nothing else; `more` is another rule.
func (o *outward) policy(ctx context.Context, mode, reason, more string) error {
	return o.rules(ctx, mode, fmt.Sprintf(`
    - name: origin
      action: Allow
      to: {hosts: [%s], within: [%s/32]}
      ports: ['443']
      protocols: [{type: TLS}]
    - {name: elsewhere, action: Deny, to: {hosts: [%s]}, reason: %s}
    %s`, o.origin.Host, o.within, o.elsewhere.Host, reason, more))
}

// rules are those of the cart's policy. It waits until the policy's status says that they hold.
func (o *outward) rules(ctx context.Context, mode, rules string) error {
	policy, err := o.stage.Apply(ctx, `
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: cart, namespace: %s}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: %s}]
  subjects: [{serviceAccount: cart}]
  mode: %s
  rules: %s
`, shop, home, mode, rules)
	if err != nil {
		return err
	}
	generation := policy.GetGeneration()
	return o.stage.Until(ctx, world.EgressPolicy, shop, "cart", "accepted", func(object world.Object) bool {
		return holds(object, generation)
	})
}

func (o *outward) noPolicy(ctx context.Context) error {
	return o.stage.Delete(ctx, world.EgressPolicy, shop, "cart")
}

// holds tells whether a policy's only Gateway has taken it, as it is since a generation, with all that it refers to.
func holds(object world.Object, generation int64) bool {
	ancestors, _ := world.At(object, "status", "ancestors").([]any)
	if len(ancestors) != 1 {
		return false
	}
	ancestor, _ := ancestors[0].(map[string]any)
	conditions, _ := ancestor["conditions"].([]any)
	for _, one := range conditions {
		condition, _ := one.(map[string]any)
		if seen, _ := condition["observedGeneration"].(int64); seen < generation {
			return false
		}
	}
	return world.Condition(conditions, "Accepted") == "True" && world.Condition(conditions, "ResolvedRefs") == "True"
}

// counted is how many decisions of a verdict the Gateway's pods tell of.
func (o *outward) counted(ctx context.Context, verdict string) (float64, error) {
	selector := "gateway.networking.k8s.io/gateway-name=out"
	return o.stage.Count(ctx, home, selector, "lychgate_egress_decisions_total", map[string]string{"verdict": verdict})
}
