{{/* What a profile brings: `include "lychgate.has" (list . "ingress")` is "true" or empty. */}}
{{- define "lychgate.has" -}}
{{- $root := index . 0 }}{{ $part := index . 1 -}}
{{- $profiles := dict
  "minimal" (list "base" "control")
  "default" (list "base" "control" "ingress")
  "demo" (list "base" "control" "ingress" "egress" "experimental")
  "empty" (list "base")
  "preview" (list "base" "control" "ingress" "experimental")
  "remote" (list "remote") -}}
{{- if has $part (get $profiles $root.Values.profile) }}true{{ end }}
{{- end }}

{{/* The name of the control plane, which is that of its Deployment, Service and ServiceAccount. */}}
{{- define "lychgate.control" -}}
lychgate-control{{ with .Values.revision }}-{{ . }}{{ end }}
{{- end }}

{{/* The name of what has no namespace. */}}
{{- define "lychgate.cluster" -}}
{{ include "lychgate.control" . }}-{{ .Release.Namespace }}
{{- end }}

{{/* The Secret of the certificate authority. */}}
{{- define "lychgate.ca" -}}
lychgate-ca{{ with .Values.revision }}-{{ . }}{{ end }}
{{- end }}

{{- define "lychgate.image" -}}
{{- $root := index . 0 }}{{ $name := index . 1 -}}
{{- with $root.Values.image.repository }}{{ . }}/{{ end }}{{ $name }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{- define "lychgate.labels" -}}
app.kubernetes.io/name: lychgate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.revision }}
lychgate.dev/revision: {{ . }}
{{- end }}
{{- end }}

{{- define "lychgate.controlSelector" -}}
app.kubernetes.io/name: lychgate-control
app.kubernetes.io/instance: {{ include "lychgate.control" . }}
{{- end }}

{{/* Whether experimental features are on: "true" or empty. */}}
{{- define "lychgate.experimental" -}}
{{- if kindIs "bool" .Values.experimental }}{{ if .Values.experimental }}true{{ end }}
{{- else }}{{ include "lychgate.has" (list . "experimental") }}{{ end }}
{{- end }}

{{/* Whether the classes are ours to make: "true" or empty. */}}
{{- define "lychgate.classes" -}}
{{- if include "lychgate.has" (list . "base") }}
{{- if kindIs "bool" .Values.gatewayClasses.create }}{{ if .Values.gatewayClasses.create }}true{{ end }}
{{- else if not .Values.revision }}true{{ end }}
{{- end }}
{{- end }}

{{/* A Gateway: root, values, class. */}}
{{- define "lychgate.gateway" -}}
{{- $root := index . 0 }}{{ $gateway := index . 1 }}{{ $class := index . 2 -}}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: {{ $gateway.name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "lychgate.labels" $root | nindent 4 }}
    {{- with $gateway.labels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $gateway.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  gatewayClassName: {{ $class }}
  {{- with $gateway.infrastructure }}
  infrastructure: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $gateway.addresses }}
  addresses: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $gateway.allowedListeners }}
  allowedListeners: {{- toYaml . | nindent 4 }}
  {{- end }}
  listeners: {{- toYaml $gateway.listeners | nindent 4 }}
{{- end }}

{{/* What every container of ours may do: nothing. */}}
{{- define "lychgate.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end }}

{{- define "lychgate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}
