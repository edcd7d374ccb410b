package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lychgate.dev/bench/cluster/world"
)

// noStatusRight takes the right to write statuses of routes away: a new route is served, an Event says what its status
// cannot, and when the right is back, so is the status.
func noStatusRight(ctx context.Context, b *bad) error {
	restore, err := b.without(ctx, "httproutes/status")
	if err != nil {
		return err
	}
	return errors.Join(b.denied(ctx), b.restored(ctx, restore))
}

// policyDenies has the API server's own admission deny the same.
func policyDenies(ctx context.Context, b *bad) error {
	const name = "lychgate-bench-deny"
	_, err := b.stage.Apply(ctx, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %s}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {apiGroups: [gateway.networking.k8s.io], apiVersions: ["*"], operations: [UPDATE], resources: [httproutes/status]}
  validations: [{expression: "false", message: statuses are not welcome}]
`, name)
	if err != nil {
		return err
	}
	restore := func(ctx context.Context) error {
		return errors.Join(
			b.stage.Delete(ctx, world.PolicyBinding, "", name),
			b.stage.Delete(ctx, world.Policy, "", name),
		)
	}
	_, err = b.stage.Apply(ctx, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %s}
spec: {policyName: %[1]s, validationActions: [Deny]}
`, name)
	if err == nil {
		err = b.policed(ctx)
	}
	if err == nil {
		err = b.denied(ctx)
	}
	return errors.Join(err, b.restored(ctx, restore))
}

// policed waits until the API server has taken notice of the policy, which takes it a moment: until then statuses arrive.
func (b *bad) policed(ctx context.Context) error {
	for {
		name, err := b.good(ctx)
		if err != nil {
			return err
		}
		if err := world.Sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("the policy is not obeyed: %w", err)
		}
		route, err := b.stage.Get(ctx, world.HTTPRoute, home, name)
		if err != nil {
			return err
		}
		if !world.Accepted(route) {
			return nil
		}
	}
}

func (b *bad) denied(ctx context.Context) error {
	name, err := b.good(ctx)
	if err != nil {
		return err
	}
	return b.event(ctx, home, name, "StatusDenied")
}

// restored gives back what was taken, and waits for the status of the newest route.
func (b *bad) restored(ctx context.Context, restore func(context.Context) error) error {
	b.stage.tidy(ctx, restore)
	name := fmt.Sprintf("good-%d", b.made-1)
	return b.stage.Until(ctx, world.HTTPRoute, home, name, "accepted", world.Accepted)
}

// noListRight takes the right to list Secrets away and lets a control plane start: it does not become ready, and an Event of
// its pod says why. The others go on.
func noListRight(ctx context.Context, b *bad) error {
	restore, err := b.without(ctx, "secrets")
	if err != nil {
		return err
	}
	pod, err := b.follower(ctx)
	if err == nil {
		err = b.stage.Delete(ctx, world.Pod, b.stage.System, pod)
	}
	if err == nil {
		err = b.eventOfNewPod(ctx, pod)
	}
	if err == nil {
		_, err = b.good(ctx)
	}
	b.stage.tidy(ctx, restore)
	return errors.Join(err, b.stage.RolledOut(ctx, b.stage.System, control))
}

// follower is a pod of the control plane that does not lead.
func (b *bad) follower(ctx context.Context) (string, error) {
	leader, err := b.stage.Leader(ctx, b.stage.System, control)
	if err != nil {
		return "", err
	}
	pods, err := b.stage.List(ctx, world.Pod, b.stage.System, controlPods)
	if err != nil {
		return "", err
	}
	for _, pod := range pods {
		if pod.GetName() != leader && pod.GetDeletionTimestamp() == nil {
			return pod.GetName(), nil
		}
	}
	return "", errors.New("no control plane follows")
}

func (b *bad) eventOfNewPod(ctx context.Context, old string) error {
	for {
		pods, err := b.stage.List(ctx, world.Pod, b.stage.System, controlPods)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(pods, func(pod world.Item) bool {
			return pod.GetName() != old && world.Condition(world.Conditions(&pod), "Ready") == "False" && pod.GetDeletionTimestamp() == nil
		})
		if at >= 0 {
			return b.event(ctx, b.stage.System, pods[at].GetName(), "CannotWatch")
		}
		if err := world.Sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("no control plane that is not ready: %w", err)
		}
	}
}

// without takes a resource out of the rights of the control plane, and gives what puts it back.
func (b *bad) without(ctx context.Context, resource string) (restore func(context.Context) error, err error) {
	name := control + "-" + b.stage.System
	role, err := b.stage.Get(ctx, world.ClusterRole, "", name)
	if err != nil {
		return nil, err
	}
	rules, _ := world.At(role, "rules").([]any)
	before := role.DeepCopy()
	for _, rule := range rules {
		fields, _ := rule.(map[string]any)
		resources, _ := fields["resources"].([]any)
		fields["resources"] = slices.DeleteFunc(resources, func(one any) bool { return one == resource })
	}
	if err := b.stage.Update(ctx, role); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		before.SetResourceVersion("")
		return b.stage.Update(ctx, before)
	}, nil
}
