{{- define "orderly.secret" -}}
{{- $data := index .values.secrets.data .name -}}
{{- if contains "change-me" ($data | toJson) -}}
{{- fail (printf "secrets.data.%s contains the example password \"change-me\": set your own, or create the Secrets yourself and set secrets.create to false" .name) -}}
{{- end -}}
{{- $data | toJson -}}
{{- end -}}
