// Starts Redoc on our own OpenAPI document. The native fonts need no download.
window.addEventListener("load", () => {
  const fonts = "system-ui, 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif";
  Redoc.init(
    "/openapi.json",
    {
      disableSearch: true, // its index is built in a worker that this page's policy keeps out
      hideDownloadButton: false,
      theme: { typography: { fontFamily: fonts, headings: { fontFamily: fonts } } },
    },
    document.getElementById("redoc"),
  );
});
