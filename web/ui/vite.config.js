import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [svelte({ emitCss: true })],
  base: '/',
  build: {
    outDir: '../static',
    emptyOutDir: true,
    modulePreload: false, // one script; the helper would only add bytes
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    target: 'es2022',
    rollupOptions: {
      output: { entryFileNames: 'page.js', chunkFileNames: 'page-[name].js', assetFileNames: (a) => (a.names?.[0]?.endsWith('.css') ? 'page.css' : '[name][extname]') },
    },
  },
})
