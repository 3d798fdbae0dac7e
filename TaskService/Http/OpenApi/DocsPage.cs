namespace TaskService.Http.OpenApi;

/// <summary>
/// A page to read the description of the API and to try it: Swagger UI, out of its package. Nothing comes from
/// anywhere else. Without this file, its line in Program and its package there is none.
/// </summary>
internal static class DocsPage
{
    private const string Prefix = "docs";

    // The browser makes sure of it, too.
    private const string Policy =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

    private static readonly string[] Files =
    [
        "", "/index.html", "/index.css", "/index.js", "/swagger-ui.css", "/swagger-ui-bundle.js",
        "/swagger-ui-standalone-preset.js", "/favicon-16x16.png", "/favicon-32x32.png",
    ];

    public static void MapDocs(this WebApplication app, bool isOn)
    {
        if (!isOn)
        {
            return;
        }
        // Made at the first request: the package costs the start a hundredth of a second.
        var page = new Lazy<RequestDelegate>(() => Build(app));
        foreach (var file in Files)
        {
            app.MapGet($"/{Prefix}{file}", async http =>
            {
                http.Response.Headers.ContentSecurityPolicy = Policy;
                // It serves nothing where an endpoint was found already.
                var endpoint = http.GetEndpoint();
                http.SetEndpoint(null);
                try
                {
                    await page.Value(http);
                }
                finally
                {
                    http.SetEndpoint(endpoint);
                }
            }).ExcludeFromDescription();
        }
    }

    private static RequestDelegate Build(IApplicationBuilder app) => app.New()
        .UseSwaggerUI(options =>
        {
            options.RoutePrefix = Prefix;
            options.SwaggerEndpoint(OpenApiEndpoint.Path, "API");
        })
        .Build();
}
