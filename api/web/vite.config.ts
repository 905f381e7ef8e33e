import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// `npm run dev` shows the page with hot reload against an API that runs already.
const api = 'http://127.0.0.1:8400'

export default defineConfig({
  plugins: [react()],
  build: { target: 'es2023', assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
  server: { proxy: { '/api': { target: api, ws: true }, '/health': api } },
})
