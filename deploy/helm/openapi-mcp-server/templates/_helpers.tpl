{{- /* Helm takes 53 characters at most, and the longest ending here is -dashboard: 63, as a label of DNS has. */ -}}
{{- define "name" -}}{{ .Release.Name }}{{- end -}}
{{- define "selector" -}}
app.kubernetes.io/name: openapi-mcp-server
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}
{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}
{{- /* A map of the chart, written as YAML, and one of the values, whose entries take the place of those with the same name. */ -}}
{{- define "extended" -}}{{ toYaml (mergeOverwrite (index . 0 | fromYaml) (index . 1 | default dict)) }}{{- end -}}
{{- define "unprivileged" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}
{{- define "everywhere" -}}{{ if .Values.ipv6 }}[::]:{{ end }}{{- end -}}
{{- define "address" -}}{{ ternary "[$(POD_IP)]" "$(POD_IP)" .Values.ipv6 }}{{- end -}}
{{- define "account" -}}{{ .Values.serviceAccount.name | default (include "name" .) }}{{- end -}}
{{- define "hosts" -}}
{{- $service := printf "%s.%s" (include "name" .) .Release.Namespace -}}
{{ .Values.host }} {{ include "name" . }} {{ $service }} {{ $service }}.svc {{ $service }}.svc.cluster.local
{{- end -}}
{{- define "door" -}}{{ if .Values.tls.secretName }}https{{ else }}http{{ end }}{{- end -}}
{{- define "image" -}}
{{- $repository := required "image.repository has to be given" .Values.image.repository -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}{{ else }}{{ $repository }}:{{ .Values.image.tag }}{{ end -}}
{{- end -}}
