package posture

import (
	"fmt"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

const rbac = "rbac.authorization.k8s.io"

func isBinding(id object.ID) bool {
	return id.Group == rbac && (id.Kind == "RoleBinding" || id.Kind == "ClusterRoleBinding")
}

// bindings judges whom roles are bound to.
func (j *judge) bindings() {
	if !j.spec.Groups {
		return
	}
	j.each(isBinding, func(declared, live *object.Object) {
		told := map[string]bool{}
		j.users(declared, "", told)
		if declared.Content == nil {
			j.users(live, "", told)
		} else {
			j.users(live, ", unlike in git", told)
		}
	})
}

// users tells of the users that a binding names and that were not told of.
func (j *judge) users(o *object.Object, where string, told map[string]bool) {
	if o.Content == nil {
		return
	}
	role := object.Map(o.Content, "roleRef")
	if role == nil {
		j.fail(finding.PostureRBACUser, *o, "its role and subjects were not read")
		return
	}
	for _, s := range object.List(o.Content, "subjects") {
		s, _ := s.(map[string]any)
		user := object.Text(s, "name")
		if object.Text(s, "kind") != "User" || component(user) || told[user] {
			continue
		}
		told[user] = true
		f := bound(role, user)
		f.Object, f.Origin = o.ID, o.Origin
		f.Message += reach(o.ID) + where
		j.add(f)
	}
}

// bound is the finding about a user with a role.
func bound(role map[string]any, user string) finding.Finding {
	f := finding.Finding{
		Rule: finding.PostureRBACUser, Severity: finding.Warning, Subject: user,
		Advice: "bind the role to a group that your identity provider manages, and put the user into that",
	}
	who := fmt.Sprintf("the user %q", user)
	if user == anonymous {
		who, f.Advice = "everybody, without logging in,", "remove the subject"
	}
	if object.Text(role, "kind") == "ClusterRole" && object.Text(role, "name") == "cluster-admin" {
		f.Severity = finding.Critical
	}
	f.Message = fmt.Sprintf("%s has the %s %s", who, object.Text(role, "kind"), object.Text(role, "name"))
	return f
}

// reach says where a binding holds.
func reach(id object.ID) string {
	if id.Kind == "RoleBinding" {
		return " in this namespace"
	}
	return " in the whole cluster"
}

// anonymous is the name of requests that nobody has authenticated.
const anonymous = "system:anonymous"

// component tells of the names that Kubernetes keeps for its components, nodes and
// service accounts (https://kubernetes.io/docs/reference/access-authn-authz/rbac/).
func component(user string) bool {
	return strings.HasPrefix(user, "system:") && user != anonymous
}
