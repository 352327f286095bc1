import { useData, withBase } from 'vitepress'
import { defineComponent, h, onMounted, ref, watch } from 'vue'

let count = 0

/** Renders a diagram in the browser. Mermaid is loaded by the first diagram of a visit. */
export const Mermaid = defineComponent({
  props: { code: { type: String, required: true } },
  setup(props) {
    const { isDark } = useData()
    const svg = ref('')
    const code = decodeURIComponent(props.code)
    const render = async () => {
      const { default: mermaid } = await import(/* @vite-ignore */ withBase('/mermaid/mermaid.esm.min.mjs'))
      mermaid.initialize({ startOnLoad: false, theme: isDark.value ? 'dark' : 'default', securityLevel: 'strict' })
      svg.value = (await mermaid.render(`diagram-${count++}`, code)).svg
    }
    onMounted(render)
    watch(isDark, render)
    return () => (svg.value === '' ? h('pre', code) : h('div', { innerHTML: svg.value }))
  }
})
