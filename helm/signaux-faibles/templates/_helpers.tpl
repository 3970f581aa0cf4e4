{{/* Prefix of the names of all objects. */}}
{{- define "sf.fullname" -}}
{{- $name := .Release.Name }}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end }}
{{- $name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Labels that select the pods of a component. Call with (dict "root" $ "component" name). */}}
{{- define "sf.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of every object. Same call. */}}
{{- define "sf.labels" -}}
{{ include "sf.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Settings of a service: the defaults and what it replaces. Call with (dict "root" $ "component" name); gives YAML. */}}
{{- define "sf.settings" -}}
{{- mustMergeOverwrite (deepCopy .root.Values.defaults) (deepCopy (index .root.Values.services .component)) | toYaml }}
{{- end }}

{{- define "sf.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "sf.scheme" -}}{{ ternary "https" "http" .Values.tls.enabled }}{{- end }}

{{/* Name of the secret with a certificate. Call with (dict "root" $ "component" name), or "client". */}}
{{- define "sf.tlsSecret" -}}
{{- index .root.Values.tls.existingSecrets .component | default (printf "%s-%s-tls" (include "sf.fullname" .root) .component) }}
{{- end }}

{{/* What a program shows to services: environment, mounts and volumes of the monthly run, of training workers and of `helm test`. */}}
{{- define "sf.clientEnv" }}
- name: SF_SERVER
  value: {{ include "sf.server" . }}
{{- if .Values.tls.enabled }}
- {name: SF_TLS_AUTHORITIES, value: /etc/signaux-faibles-tls/ca.crt}
- {name: SF_TLS_CERTIFICATE, value: /etc/signaux-faibles-tls/tls.crt}
- {name: SF_TLS_KEY, value: /etc/signaux-faibles-tls/tls.key}
{{- end }}
{{- if .Values.auth.existingTokenSecret }}
- name: SF_TOKEN_FILE
  value: /etc/signaux-faibles-token/token
{{- end }}
{{- end }}

{{- define "sf.clientMounts" }}
{{- if .Values.tls.enabled }}
- {name: tls, mountPath: /etc/signaux-faibles-tls, readOnly: true}
{{- end }}
{{- if .Values.auth.existingTokenSecret }}
- {name: token, mountPath: /etc/signaux-faibles-token, readOnly: true}
{{- end }}
{{- end }}

{{- define "sf.clientVolumes" }}
{{- if .Values.tls.enabled }}
- name: tls
  secret: {secretName: {{ include "sf.tlsSecret" (dict "root" . "component" "client") }}, defaultMode: 0440}
{{- end }}
{{- with .Values.auth.existingTokenSecret }}
- name: token
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{/* The value of `sf --server`. */}}
{{- define "sf.server" -}}
{{- $prefix := printf "%s://%s" (include "sf.scheme" .) (include "sf.fullname" .) -}}
ingestion={{ $prefix }}-ingestion:7000,features={{ $prefix }}-feature-store:7000,training={{ $prefix }}-training:7000,scoring={{ $prefix }}-scoring:7000
{{- end }}

{{/* What all pods have: who they are, and how little they may do. */}}
{{- define "sf.pod" -}}
serviceAccountName: {{ include "sf.fullname" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Whether a service is ready. */}}
{{- define "sf.probe" -}}
{{- if .Values.tls.enabled }}
httpGet: {path: /readyz, port: admin}
{{- else }}
grpc: {port: 7000}
{{- end }}
{{- end }}

{{/* What all containers have. */}}
{{- define "sf.container" -}}
image: {{ include "sf.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* An environment variable from a secret. Call with (list name secret key). */}}
{{- define "sf.secretEnv" }}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}
{{- end }}

{{/* Environment of a service: secrets, and its own settings. Call with (dict "root" $ "component" name). */}}
{{- define "sf.env" }}
{{- with .root.Values.lake.existingSecret }}
{{- include "sf.secretEnv" (list "SF_LAKE__S3__ACCESS_KEY_ID" . "access-key-id") }}
{{- include "sf.secretEnv" (list "SF_LAKE__S3__SECRET_ACCESS_KEY" . "secret-access-key") }}
{{- end }}
{{- if has .component (list "feature-store" "scoring") }}
{{- with .root.Values.online.existingSecret }}
{{- include "sf.secretEnv" (list "SF_ONLINE__REDIS_URL" . "redis-url") }}
{{- end }}
{{- end }}
{{- if and (eq .component "scoring") .root.Values.auth.existingServiceTokenSecret (not .root.Values.tls.enabled) }}
- name: SF_TOKEN_FILE
  value: /etc/signaux-faibles-token/token
{{- end }}
{{- if eq .component "training" }}
- name: POD_IP
  valueFrom:
    fieldRef: {fieldPath: status.podIP}
# Where workers reach it.
- {name: SF_SERVICE__HOST, value: $(POD_IP)}
{{- end }}
{{- range $name, $value := (include "sf.settings" . | fromYaml).env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
